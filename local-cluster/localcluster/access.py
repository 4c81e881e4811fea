"""Ways into an apiserver: kubeconfig files for the components, and a small client for this package's own calls."""

import http.client
import json
import pathlib
import ssl
import urllib.parse
from collections.abc import Mapping
from typing import Any

import yaml

from localcluster import pki, templates


def write_kubeconfig(
    file: pathlib.Path, server: str, authority: pki.Authority, user: str, groups: tuple[str, ...] = ()
) -> pathlib.Path:
    """A kubeconfig of the user, who is made by signing; the files that it names lie beside the authority."""
    certificate, key = authority.issue(f"user-{file.name.removesuffix('.kubeconfig')}", user, groups)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "ferryman", "cluster": {"server": server, "certificate-authority": str(authority.certificate)}}
        ],
        "users": [{"name": user, "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
        "contexts": [{"name": "ferryman", "context": {"cluster": "ferryman", "user": user}}],
        "current-context": "ferryman",
    }
    return templates.write(file, yaml.safe_dump(config, sort_keys=False), mode=0o600)


class Client:
    """JSON over HTTPS to the apiserver that a kubeconfig of ours names."""

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._address = urllib.parse.urlsplit(cluster["server"])
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])

    def status(self, path: str) -> int:
        """The answer's code alone; 0 where there was none."""
        try:
            return self._send("GET", path, None, {})[0]
        except OSError:
            return 0

    def get(self, path: str) -> Any:
        """The object or list at the path; None where there is none, or no apiserver."""
        try:
            code, body = self._send("GET", path, None, {})
        except OSError:
            return None
        return json.loads(body) if code == http.HTTPStatus.OK else None

    def patch(self, path: str, change: Mapping[str, Any]) -> Any:
        """Merge the change into the object at the path."""
        code, body = self._send("PATCH", path, json.dumps(change), {"Content-Type": "application/merge-patch+json"})
        if code != http.HTTPStatus.OK:
            raise OSError(f"PATCH {path} answered {code}: {body[:500].decode(errors='replace')}")
        return json.loads(body)

    def _send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        assert self._address.hostname
        connection = http.client.HTTPSConnection(
            self._address.hostname, self._address.port, timeout=5, context=self._tls
        )
        try:
            connection.request(method, path, body, {"Accept": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()


def answers(url: str, seconds: float = 1.0) -> bool:
    """Whether an address of this machine answers 200; a certificate is not looked at."""
    address = urllib.parse.urlsplit(url)
    assert address.hostname
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        # A health check of a process that this package started on this machine, with a certificate it made itself.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=seconds)
    try:
        connection.request("GET", address.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
