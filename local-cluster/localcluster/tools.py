"""The machine's own tools: which are needed, which are missing, and the command that installs them."""

import os
import pathlib
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable

from localcluster import errors

# program -> Debian package
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "socat": "socat",
    "ethtool": "ethtool",
    "ip": "iproute2",
    "mount": "mount",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
CNI = pathlib.Path("/usr/lib/cni")
NETAVARK = pathlib.Path("/usr/lib/podman/netavark")
GO_ADVICE = "Go 1.26 or newer builds the cluster; get it from https://go.dev/dl (Debian's own is too old)"
GO_OLDEST = (1, 21)  # from here on, Go fetches by itself the newer one that go.mod names
NODE = ("containerd", "ctr", "runc", "iptables", "conntrack", "socat", "ethtool", "ip", "mount")
IMAGES = ("buildah", "debootstrap")


def find(program: str) -> str | None:
    """The program's path, also where root's PATH leaves the sbin folders out."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/go/bin")


def missing_packages(programs: Iterable[str], has: Callable[[str], object] = find) -> tuple[str, ...]:
    """The Debian packages that would bring the programs that are not here."""
    wanted = {PACKAGES[p] for p in programs if p in PACKAGES and not has(p)}
    # buildah settles on a network when it first runs, and starts with no other later: so it gets both kinds.
    if {"containerd", "buildah"} & set(programs) and not (CNI / "ptp").exists():
        wanted.add("containernetworking-plugins")
    if "buildah" in programs and not NETAVARK.exists():
        wanted.add("netavark")
    return tuple(sorted(wanted))


def require(programs: Iterable[str]) -> None:
    """Stop, with the command that helps, where a program is missing."""
    programs = tuple(programs)
    if "go" in programs and not go_is_new_enough(_go_version()):
        raise errors.ClusterError(GO_ADVICE)
    if packages := missing_packages(programs):
        raise errors.ClusterError(f"missing tools; install them: apt-get install {' '.join(packages)}")


def install(programs: Iterable[str], say: Callable[[str], None] = lambda _: None) -> None:
    """Bring what is missing, where this is root on Debian; else name it."""
    programs = tuple(programs)
    with _ONE_AT_A_TIME:
        packages = missing_packages(programs)
        if packages and os.geteuid() == 0 and find("apt-get"):
            say(" ".join(packages))
            _apt_get("update", "-q")  # where it fails, the list that is there may do
            installed = _apt_get("install", "-q", "-y", "--no-install-recommends", *packages)
            if installed.returncode:
                raise errors.ClusterError(f"apt-get install {' '.join(packages)}: {installed.stderr.strip()}")
    require(programs)


# apt-get holds locks of its own and gives up at once where another one runs.
_ONE_AT_A_TIME = threading.Lock()


def _apt_get(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run apt-get without questions; wait for another program's hold on the package database."""
    command = ("apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def go_is_new_enough(said: str) -> bool:
    """Whether `go version` says something that can build the modules."""
    version = re.search(r"go(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= GO_OLDEST


def _go_version() -> str:
    go = find("go")
    return subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout if go else ""
