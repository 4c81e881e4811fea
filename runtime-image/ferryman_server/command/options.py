"""What a person asks for on the command line: each flag is a variable of the contract by a shorter name."""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ferryman_server import __version__
from ferryman_server.settings import Format

_HERE = {
    "FERRYMAN_HOST": "127.0.0.1",
    "FERRYMAN_GRPC_PORT": "0",
    "FERRYMAN_DRAIN_SECONDS": "0",  # no mesh has to hear of it
    "FERRYMAN_TERMINATION_LOG": os.devnull,
}
"""What differs from a pod where neither a flag nor the environment says otherwise."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Wish:
    """The model as it was named, the variables that the flags set, and whether a kept copy will do."""

    model: str
    variables: dict[str, str]
    refresh: bool = False

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """The contract's variables: a flag goes before the environment, and that before our defaults."""
        return {**_HERE, **env, **self.variables}


def read(arguments: Sequence[str]) -> Wish:
    """The flags; a wrong one ends the program with a line that says what would do."""
    given = _parser().parse_args(arguments)
    variables = {
        "FERRYMAN_MODEL_NAME": given.name,
        "FERRYMAN_MODEL_FORMAT": given.format,
        "FERRYMAN_HOST": given.host,
        "FERRYMAN_PORT": given.port,
        "FERRYMAN_GRPC_PORT": given.grpc_port,
        "FERRYMAN_ALLOW_PICKLE": "true" if given.allow_pickle else None,
        "FERRYMAN_OPTIMIZE": "off" if given.no_optimize else None,
    }
    told = {name: str(value) for name, value in variables.items() if value is not None}
    return Wish(given.model, told, refresh=given.refresh)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ferryman_server",
        usage="%(prog)s --model PATH|URI [options]",
        description="Serve a model on this machine. Without options it does as its environment says, as in a pod.",
        epilog="Every FERRYMAN_* variable of the environment counts here too; an option goes before it.",
    )
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="PATH|URI",
        help="a model file, a directory with one, or models:/NAME/VERSION, models:/NAME@ALIAS, s3://, https://",
    )
    add("--name", type=_name, help="the model's name in the URL; by default made from the path")
    add("--port", type=_port, help="8080 by default; 0 for any that is free")
    add("--host", metavar="ADDRESS", help="127.0.0.1 by default; 0.0.0.0 lets other machines in")
    add("--grpc-port", type=_port, metavar="PORT", help="answer gRPC too, there")
    add("--format", choices=[str(one) for one in Format], help="what the model is, where its files do not say")
    add("--allow-pickle", action="store_true", help="open what can run code: only if you trust who made it")
    add("--no-optimize", action="store_true", help="serve a scikit-learn model as it is, not as a graph")
    add("--refresh", action="store_true", help="fetch again what an earlier start has kept")
    add("--version", action="version", version=f"Ferryman {__version__}")
    return parser


def _name(given: str) -> str:
    if not _NAME.fullmatch(given):
        raise argparse.ArgumentTypeError(f'"{given}" has to stand in a URL; use letters, digits, ".", "-" and "_"')
    return given


def _port(given: str) -> int:
    if not given.isdecimal() or int(given) > 65535:
        raise argparse.ArgumentTypeError(f'"{given}" is not a port; use a number up to 65535')
    return int(given)
