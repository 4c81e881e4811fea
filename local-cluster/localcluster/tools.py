"""The machine's own tools: which are needed, which are missing, and the command that installs them."""

import os
import pathlib
import re
import shutil
import subprocess
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
    if "containerd" in programs and not (CNI / "ptp").exists():
        wanted.add("containernetworking-plugins")
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
    packages = missing_packages(programs)
    if packages and os.geteuid() == 0 and find("apt-get"):
        say(" ".join(packages))
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise errors.ClusterError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    require(programs)


def go_is_new_enough(said: str) -> bool:
    """Whether `go version` says something that can build the modules."""
    version = re.search(r"go(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= GO_OLDEST


def _go_version() -> str:
    go = find("go")
    return subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout if go else ""
