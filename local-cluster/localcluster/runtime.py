"""What one asks of the cluster's containerd: which images it has, bring this one, let all containers go."""

import contextlib
import pathlib
import shutil
import subprocess
from collections.abc import Mapping

from localcluster import cgroups, errors, layout, node, paths, pause, process, shell, tools

SHIM_SOCKETS = pathlib.Path("/run/containerd/s")


def ctr(*arguments: str, seconds: float = 300) -> str:
    """Ask containerd, in the namespace that the kubelet uses."""
    return shell.run("ctr", f"--address={node.SOCKET}", "--namespace=k8s.io", *arguments, seconds=seconds)


def has_image(reference: str) -> bool:
    """Whether pods can use the image."""
    return reference in ctr("images", "list", "--quiet", f"name=={reference}").split()


def import_archive(archive: pathlib.Path) -> None:
    """Bring an image archive in and unpack it."""
    ctr("images", "import", str(archive))


def import_image(folder: pathlib.Path, name: str, tag: str) -> None:
    """Bring in an image that buildah left in a folder, and of its blobs only those that are not here."""
    here = set(ctr("content", "list", "--quiet").split())
    command = (str(tools.find("ctr")), f"--address={node.SOCKET}", "--namespace=k8s.io")
    with subprocess.Popen(
        [*command, "images", "import", f"--base-name={name}", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as importer:
        assert importer.stdin
        assert importer.stderr
        with contextlib.suppress(BrokenPipeError), importer.stdin:
            layout.write_archive(folder, tag, importer.stdin, without=here)
        said = importer.stderr.read().decode(errors="replace").strip()
    if importer.returncode:
        raise errors.ClusterError(f"containerd does not take {name} from {folder}: {said}")


def forget_replaced_images() -> None:
    """Let go of images whose name went to a newer one: the kubelet, which would, is told to keep all."""
    rows = [line.split() for line in ctr("images", "list").splitlines()[1:]]
    targets = {row[0]: row[2] for row in rows if len(row) > 2}
    for name in replaced(targets):
        ctr("images", "remove", name)


def replaced(targets: Mapping[str, str]) -> list[str]:
    """Of images by name, those that are known by their id alone, under no name that a person gave."""
    named = {digest for name, digest in targets.items() if not name.startswith("sha256:")}
    return [name for name, digest in targets.items() if name.startswith("sha256:") and digest not in named]


def ensure_pause() -> None:
    """Every pod needs it before its first container."""
    if not has_image(node.PAUSE):
        import_archive(pause.write(node.PAUSE, paths.state() / "pause.tar"))


def end_pods() -> None:
    """Kill every pod's processes at once, and let containerd forget the containers but keep the images."""
    cgroups.kill()
    if not node.SOCKET.exists():
        return
    address = (str(tools.find("ctr")), f"--address={node.SOCKET}", "--namespace=k8s.io")
    containers = shell.attempt(*address, "containers", "list", "--quiet").stdout.split()
    for verbs in (("tasks", "delete", "--force"), ("containers", "delete")):
        quiet = subprocess.DEVNULL
        jobs = [
            subprocess.Popen([*address, *verbs, one], stdin=quiet, stdout=quiet, stderr=quiet) for one in containers
        ]
        for job in jobs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.wait(timeout=20)


def clear() -> None:
    """Remove what containerd, the shims and the kubelet leave: mounts, sockets, cgroups, log links."""
    addresses = [p.read_text().strip() for p in (paths.RUNTIME / "containerd").glob("*/*/*/address")]
    process.end([r.pid for r in process.running(paths.state())], grace=1.0)  # shims whose containerd is gone
    unmount_below(paths.RUNTIME, paths.state(), node.image_store())
    for address in addresses:
        pathlib.Path(address.removeprefix("unix://")).unlink(missing_ok=True)
    cgroups.remove()
    shutil.rmtree(paths.RUNTIME, ignore_errors=True)
    if (paths.state() / "kubelet").exists():  # else the places are somebody else's
        _clear_fixed_places()


def unmount_below(*folders: pathlib.Path) -> None:
    """Unmount everything under the folders, the innermost first."""
    for _ in range(3):
        points = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        ours = [p for p in points if any(p.startswith(f"{folder}/") for folder in folders)]
        if not ours:
            return
        for point in sorted(ours, key=len, reverse=True):
            shell.attempt("umount", "--lazy", point.encode().decode("unicode_escape"))


def _clear_fixed_places() -> None:
    """What containerd and the kubelet put where no option moves it; folders go only where they end up empty."""
    links, results = pathlib.Path("/var/log/containers"), pathlib.Path("/var/lib/cni/results")
    plugins = pathlib.Path("/var/lib/kubelet/device-plugins")
    for link in links.glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(str(paths.state())):
            link.unlink()
    for result in results.glob("*"):
        if str(paths.RUNTIME) in result.read_text(errors="replace"):
            result.unlink()
    (plugins / "kubelet.sock").unlink(missing_ok=True)
    runc = SHIM_SOCKETS.parent / "runc"
    places = (links, results, results.parent, plugins, plugins.parent, runc / "k8s.io", runc, SHIM_SOCKETS)
    for folder in (*places, SHIM_SOCKETS.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()
