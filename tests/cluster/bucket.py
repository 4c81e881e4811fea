"""An S3 server with one bucket beside the cluster: models lie there, and pods fetch them by a Secret's account."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ferrydemo import stage
from ferrydemo.kube import Kube
from localcluster import access, binaries, controlplane, network, process

NAME = "models"
UPLOAD = """
import pathlib, sys
import boto3
url, account, password, bucket, folder, prefix = sys.argv[1:]
store = boto3.client(
    "s3", endpoint_url=url, aws_access_key_id=account, aws_secret_access_key=password, region_name="us-east-1"
)
for file in sorted(pathlib.Path(folder).rglob("*")):
    if file.is_file():
        store.upload_file(str(file), bucket, f"{prefix}/{file.relative_to(folder)}")
"""
REGISTER = """
import sys
from mlflow import MlflowClient
print(MlflowClient("http://127.0.0.1:5000").create_model_version(*sys.argv[1:]).version)
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where it is reached from pods, and by which account."""

    url: str
    account: str
    password: str

    def secret(self, name: str, namespace: str, password: str = "") -> dict[str, object]:
        """Return a Secret by which pods may fetch from it; or may not, with a password of one's own."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {
                "AWS_ACCESS_KEY_ID": self.account,
                "AWS_SECRET_ACCESS_KEY": password or self.password,
                "AWS_ENDPOINT_URL": self.url,
            },
        }

    def keep(self, kube: Kube, version: stage.Version, prefix: str) -> str:
        """Copy a version's files here, and register what lies here as another version; return its URI."""
        where = f"s3://{NAME}/{prefix}"
        put = (self.url, self.account, self.password, NAME, version.artifacts, prefix)
        stage.in_tracking_pod(kube, "python", "-c", UPLOAD, *put)
        number = stage.in_tracking_pod(kube, "python", "-c", REGISTER, version.name, where).split()[-1]
        return f"models:/{version.name}/{number}"


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[Bucket]:
    """Start the server, and end it."""
    files, log = directory / "files", directory / "log"
    (files / NAME).mkdir(parents=True)
    [port] = controlplane.free_ports(1)
    bucket = Bucket(f"http://{network.NODE}:{port}", "ferryman", secrets.token_hex(20))
    daemon = process.Daemon(
        name="bucket",
        argv=(
            *(str(binaries.path("versitygw")), "--port", f"{network.NODE}:{port}", "--health", "/health", "--quiet"),
            *("posix", str(files)),
        ),
        env={"ROOT_ACCESS_KEY": bucket.account, "ROOT_SECRET_KEY": bucket.password},
        ready=lambda: access.answers(f"{bucket.url}/health"),
    )
    try:
        process.ensure(daemon, directory, log)
        yield bucket
    finally:
        process.end([each.pid for each in process.running(directory)])
