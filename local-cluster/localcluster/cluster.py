"""The local cluster as the demo, the tests and the command line see it, whichever way it was made."""

import contextlib
import fcntl
import functools
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence

from localcluster import driver, errors, flow, images, kind, network, paths, progress, shell, source, tools

GATEWAY_URL = f"http://127.0.0.1:{network.GATEWAY_PORT}"


def up(
    board: progress.Board, wanted: Sequence[images.Image] = (), apiserver_args: tuple[str, ...] = ()
) -> driver.Driver:
    """Bring the cluster up, or what of it does not run; build and load images on the way where some are wanted."""
    chosen = current()
    with only_one():
        if chosen is driver.Driver.SOURCE:
            _require_root()
        _remember(chosen)
        steps = source.up_steps(apiserver_args) if chosen is driver.Driver.SOURCE else kind.up_steps()
        loaded_after = source.IMAGES_WELCOME if chosen is driver.Driver.SOURCE else kind.CLUSTER_STEP
        flow.run([*steps, *image_steps(wanted, chosen, loaded_after)], board)
    return chosen


def load(board: progress.Board, wanted: Sequence[images.Image]) -> None:
    """Build the images and bring them into the running cluster, where they changed."""
    chosen = current()
    if not paths.kubeconfig().exists():
        raise errors.ClusterError("there is no cluster to bring images into; make cluster brings one up")
    flow.run(image_steps(wanted, chosen), board)


def image_steps(
    wanted: Sequence[images.Image], chosen: driver.Driver, loaded_after: str | None = None
) -> list[flow.Step]:
    """Build each image, then load it once the step `loaded_after` is done."""
    ready = (loaded_after,) if loaded_after else ()
    steps: list[flow.Step] = []
    if chosen is driver.Driver.SOURCE and wanted:
        steps.append(flow.Step("image tools", lambda say: tools.install(tools.IMAGES, say)))
        steps.append(flow.Step("base image", images.ensure_base, ("image tools",)))
    before = "base image"
    for image in wanted:
        build, load_it = f"image {image.reference}", f"load {image.reference}"
        if chosen is driver.Driver.SOURCE:
            # One after the other: they share the layers that the first of them makes.
            steps.append(flow.Step(build, functools.partial(images.build, image), (before,)))
            steps.append(flow.Step(load_it, functools.partial(images.load, image.reference), (build, *ready)))
            before = build
        else:
            steps.append(flow.Step(build, functools.partial(_run, kind.build_image(image))))
            steps.append(
                flow.Step(load_it, functools.partial(_run, kind.load_image(image.reference)), (build, *ready))
            )
    return steps


def down() -> driver.Driver:
    """End the cluster and remove every trace of it but the cache."""
    chosen = current()
    with only_one():
        if chosen is driver.Driver.SOURCE:
            _require_root()
            source.down()
        else:
            kind.down()
        shutil.rmtree(paths.state(), ignore_errors=True)
    return chosen


def current() -> driver.Driver:
    """How the running cluster was made; where there is none, how one would be."""
    remembered = paths.state() / "driver"
    if not remembered.exists():
        return driver.choose(os.environ, driver.docker_answers)
    made = driver.Driver(remembered.read_text())
    if (asked := os.environ.get(driver.VARIABLE)) and asked != made:
        raise errors.ClusterError(
            f"a cluster from {made} is there, {driver.VARIABLE}={asked} asks for another; make cluster-down ends it"
        )
    return made


def kubeconfig() -> pathlib.Path:
    """The administrator's kubeconfig of the running cluster."""
    if not paths.kubeconfig().exists():
        raise errors.ClusterError("there is no cluster; make cluster brings one up")
    return paths.kubeconfig()


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """One `up` or `down` at a time."""
    paths.cache().mkdir(parents=True, exist_ok=True)
    with (paths.cache() / ".cluster.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.ClusterError(
                "another `up` or `down` of this cluster is at work; wait for its end"
            ) from error
        yield


def _remember(chosen: driver.Driver) -> None:
    paths.state().mkdir(parents=True, exist_ok=True)
    (paths.state() / "driver").write_text(chosen)


def _run(command: Sequence[str], _: progress.Say) -> None:
    shell.run(*command, seconds=1800)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise errors.ClusterError(
            "a cluster from source needs root (a node makes links, mounts and containers): run it with sudo -E,"
            " or install Docker and let CLUSTER=kind do it"
        )
