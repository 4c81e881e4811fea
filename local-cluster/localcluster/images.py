"""Builds the project's images from their Dockerfiles and brings them into the cluster, only when they changed."""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping

from localcluster import errors, paths, progress, runtime, shell, tools

SUITE = "bookworm"
BASE = f"ferryman.dev/base:{SUITE}"
BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates", "libgomp1")
DOCKER_BASE = f"docker.io/library/python:3.11-slim-{SUITE}"
CERTIFICATES = pathlib.Path("/etc/ssl/certs")


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """An image that the project builds: its reference, and the folder with its Dockerfile."""

    reference: str
    context: pathlib.Path
    build_args: Mapping[str, str] = dataclasses.field(default_factory=dict)


OURS = (
    Image("ferryman.dev/operator:dev", paths.REPOSITORY / "operator"),
    Image("ferryman.dev/server:dev", paths.REPOSITORY / "runtime-image"),
)


def base_archive() -> pathlib.Path:
    """A minimal Debian with Python as a tar; made once with debootstrap, a minute."""
    mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
    key = hashlib.sha256(repr((SUITE, BASE_PACKAGES, mirror, "1")).encode()).hexdigest()[:12]
    archive = paths.cache() / f"base-{SUITE}-{key}.tar"
    if archive.exists():
        return archive
    tools.install(tools.IMAGES)
    root = paths.cache() / f".base-{os.getpid()}"
    try:
        shell.run(
            *("debootstrap", "--variant=minbase", f"--include={','.join(BASE_PACKAGES)}", SUITE, str(root), mirror),
            seconds=900,
        )
        for leftover in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
            shutil.rmtree(root / leftover, ignore_errors=True)
        fresh = archive.with_suffix(".new")
        shell.run(
            "tar", "--create", f"--file={fresh}", f"--directory={root}", "--sort=name", "--exclude=./dev/*", "."
        )
        fresh.replace(archive)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return archive


def ensure_base(say: progress.Say = lambda _: None) -> None:
    """The base image in buildah's store."""
    say("debootstrap")
    archive = base_archive()
    stamp = _stamp("base")
    if buildah_id(BASE) and stamp.exists() and stamp.read_text() == archive.name:
        return
    folder = paths.cache() / "base-context"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "base.tar"
    link.unlink(missing_ok=True)
    link.hardlink_to(archive)
    (folder / "Dockerfile").write_text('FROM scratch\nADD base.tar /\nENV LANG=C.UTF-8\nCMD ["/bin/bash"]\n')
    say("buildah")
    buildah("build", "--isolation=chroot", f"--tag={BASE}", str(folder), seconds=600)
    stamp.write_text(archive.name)


def build(image: Image, say: progress.Say = lambda _: None) -> str:
    """Build with buildah, layer by layer where something changed; returns the image's id."""
    require_dockerfile(image)
    pip = paths.cache() / "pip"
    pip.mkdir(parents=True, exist_ok=True)
    arguments = {"BASE_IMAGE": BASE, **image.build_args}
    command = [
        *_buildah(),
        "build",
        "--isolation=chroot",
        "--layers",
        "--pull=never",
        f"--runtime={tools.find('runc')}",  # crun, where buildah prefers it, refuses a hybrid cgroup layout
        f"--tag={image.reference}",
        # The machine's own authorities, so that a network with one of its own can be built on.
        f"--volume={CERTIFICATES}:{CERTIFICATES}:ro",
        f"--volume={pip}:/root/.cache/pip:rw",
        *(f"--build-arg={key}={value}" for key, value in arguments.items()),
        str(image.context),
    ]
    said: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as builder:
        assert builder.stdout
        for line in builder.stdout:
            said = [*said[-15:], line.rstrip()]
            say(line.strip()[:70])
    if builder.returncode:
        raise errors.ClusterError(f"{image.reference} does not build from {image.context}:\n  " + "\n  ".join(said))
    return buildah_id(image.reference)


def load(reference: str, say: progress.Say = lambda _: None) -> bool:
    """Bring a built image into the cluster; False where it is there already."""
    identity = buildah_id(reference)
    if not identity:
        raise errors.ClusterError(f"{reference} is not built; make images builds it")
    stamp = _stamp("loaded-" + hashlib.sha256(reference.encode()).hexdigest()[:12])
    if stamp.exists() and stamp.read_text() == identity and runtime.has_image(reference):
        return False
    name, _, tag = reference.rpartition(":")
    exported = paths.cache() / f".export-{identity[:12]}"
    try:
        say("export")
        buildah("push", "--disable-compression", reference, f"dir:{exported}", seconds=600)
        say("import")
        runtime.import_image(exported, name, tag)
        runtime.forget_replaced_images()
    finally:
        shutil.rmtree(exported, ignore_errors=True)
    stamp.write_text(identity)
    return True


def buildah_id(reference: str) -> str:
    """The image's id in buildah's store; empty where it is not built."""
    done = shell.attempt(*_buildah(), "inspect", "--type=image", "--format={{.FromImageID}}", reference)
    return done.stdout.strip() if done.returncode == 0 else ""


def require_dockerfile(image: Image) -> None:
    """Say what is missing before a builder does."""
    if not (image.context / "Dockerfile").is_file():
        raise errors.ClusterError(f"{image.reference}: there is no {image.context / 'Dockerfile'}")


def buildah(*arguments: str, seconds: float) -> str:
    """Run buildah on a store of the project's own."""
    return shell.run(*_buildah(), *arguments, seconds=seconds)


def _buildah() -> tuple[str, ...]:
    store = paths.cache() / "buildah"
    program = tools.find("buildah") or "buildah"
    return program, f"--root={store}", "--runroot=/run/ferryman-buildah", "--storage-driver=overlay"


def _stamp(name: str) -> pathlib.Path:
    folder = paths.cache() / "stamps"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
