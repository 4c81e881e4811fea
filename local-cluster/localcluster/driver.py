"""Chooses how the cluster is made: in kind where a Docker engine answers, else from source."""

import enum
from collections.abc import Callable, Mapping

from localcluster import errors, shell

VARIABLE = "CLUSTER"


class Driver(enum.StrEnum):
    """The two ways to a cluster."""

    KIND = "kind"
    SOURCE = "source"


def choose(environment: Mapping[str, str], docker_answers: Callable[[], bool]) -> Driver:
    """What the environment asks for; where it is silent, what the machine can do."""
    if asked := environment.get(VARIABLE, ""):
        try:
            return Driver(asked)
        except ValueError as error:
            known = " or ".join(Driver)
            raise errors.ClusterError(f"{VARIABLE}={asked} is no way to make a cluster; say {known}") from error
    return Driver.KIND if docker_answers() else Driver.SOURCE


def docker_answers() -> bool:
    """Whether there is a Docker engine (a client alone is none)."""
    done = shell.attempt("docker", "info", "--format={{.ServerVersion}}", seconds=10)
    return done.returncode == 0 and bool(done.stdout.strip())
