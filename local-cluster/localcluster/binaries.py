"""Builds the cluster's programs from Go modules, once for each version, into the cache."""

import collections
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import threading
from collections.abc import Callable

from localcluster import errors, paths, tools, versions

_one_compiler = threading.Lock()  # two compilers on two cores only take each other's memory


def folder(component: versions.Component) -> pathlib.Path:
    """Where the component's programs lie."""
    return paths.cache() / f"{component.name}-{component.version}"


def path(program: str) -> pathlib.Path:
    """The program's file, built first where it is not."""
    component = versions.of_program(program)
    if not built(component):
        build(component)
    return folder(component) / program


def built(component: versions.Component) -> bool:
    """Whether all programs are there and were built from what the sources say now."""
    stamp = folder(component) / ".inputs"
    if not stamp.is_file() or stamp.read_text() != _inputs(component):
        return False
    return all((folder(component) / program).is_file() for program in component.programs)


def build(component: versions.Component, say: Callable[[str], None] = lambda _: None) -> None:
    """Compile the component; `say` hears how many packages are done. Safe to kill and to run twice at once."""
    tools.require(("go",))
    target = folder(component)
    target.mkdir(parents=True, exist_ok=True)
    with _one_compiler, (target / ".lock").open("w") as lock:
        say("waits for another build")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if built(component):
            return
        (target / ".inputs").unlink(missing_ok=True)
        fresh = target / ".new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        _compile(component, fresh, say)
        for program, package in component.programs.items():
            (fresh / go_name(package)).replace(target / program)
        fresh.rmdir()
        (target / ".inputs").write_text(_inputs(component))


def module_folder(component: versions.Component) -> pathlib.Path:
    """The component's own files as the Go module cache holds them."""
    go = tools.find("go") or "go"
    where = [go, "list", "-m", "-f", "{{.Dir}}", component.module]
    fetch = [go, "mod", "download", component.module]
    for command in (fetch, where):
        done = subprocess.run(command, cwd=_sources(component), capture_output=True, text=True, check=False)
        if done.returncode:
            raise errors.ClusterError(f"{' '.join(command)} in {_sources(component)}: {done.stderr.strip()}")
    return pathlib.Path(done.stdout.strip())


def go_name(package: str) -> str:
    """The name that the compiler gives to a package's program: a version at the end of the path does not count."""
    names = package.split("/")
    versioned = len(names) > 1 and names[-1].startswith("v") and names[-1][1:].isdigit()
    return names[-2] if versioned else names[-1]


def _compile(component: versions.Component, output: pathlib.Path, say: Callable[[str], None]) -> None:
    flags = ["-s", "-w"]
    for stamped in component.stamp:
        major, minor, _ = component.release.split(".")
        flags += [
            f"-X {stamped}.gitVersion={component.version}",
            f"-X {stamped}.gitMajor={major}",
            f"-X {stamped}.gitMinor={minor}",
        ]
    go = tools.find("go") or "go"
    command = [go, "build", "-v", "-trimpath", "-ldflags", " ".join(flags), "-o", f"{output}/"]
    compiler = subprocess.Popen(
        [*command, *component.programs.values()],
        cwd=_sources(component),
        env=os.environ | {"CGO_ENABLED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    last: collections.deque[str] = collections.deque(maxlen=12)
    assert compiler.stderr is not None
    for count, line in enumerate(compiler.stderr, start=1):
        last.append(line.rstrip())
        say(f"{count} packages compiled")
    if compiler.wait():
        said = "\n  ".join(last)
        raise errors.ClusterError(
            f"{component.module} {component.version} does not build in {_sources(component)}; go said last:\n  {said}"
        )


def _sources(component: versions.Component) -> pathlib.Path:
    return paths.MODULES / component.folder


def _inputs(component: versions.Component) -> str:
    """A digest of all that decides what the compiler makes, but the compiler."""
    digest = hashlib.sha256(repr((component.version, dict(component.programs), component.stamp)).encode())
    digest.update((_sources(component) / "go.sum").read_bytes())
    for package in component.programs.values():
        if package.startswith("./"):
            for file in sorted((_sources(component) / package).glob("*.go")):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def remove_all() -> None:
    """Forget what was built."""
    for component in versions.components().values():
        shutil.rmtree(folder(component), ignore_errors=True)
