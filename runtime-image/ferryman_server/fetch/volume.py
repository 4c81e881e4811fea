"""Copies a model from a claim that is mounted read-only beside us."""

import shutil
from pathlib import Path

from ferryman_server.fetch import source as sources
from ferryman_server.fetch.budget import Budget
from ferryman_server.reason import FatalError, Reason


def fetch(source: sources.Source, into: Path, *, mount: Path, limit: int) -> bool:
    """Copy; True when the artefact is a single file."""
    root = mount.resolve()
    if not root.is_dir():
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f'Claim "{source.place}" is not mounted at {mount}; check that it exists and is bound.',
        )
    origin = (root / source.path).resolve()
    if not origin.is_relative_to(root):
        raise _leads_outside(source, origin)
    budget = Budget(source.uri, limit)
    if origin.is_file():
        budget.take(origin.stat().st_size)
        shutil.copyfile(origin, into / origin.name)
        return True
    if not origin.is_dir():
        raise FatalError(
            Reason.ARTIFACT_NOT_FOUND,
            f'Claim "{source.place}" has nothing at "{source.path}"; check the path in {source.uri}.',
        )
    _copy_tree(source, origin, into, root=root, budget=budget)
    return False


def _copy_tree(source: sources.Source, origin: Path, into: Path, *, root: Path, budget: Budget) -> None:
    total = 0
    for entry in sorted(origin.rglob("*")):
        target = into / entry.relative_to(origin)
        if not entry.resolve().is_relative_to(root):
            raise _leads_outside(source, entry)
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif entry.is_file():
            total += entry.stat().st_size
            budget.take(entry.stat().st_size)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry, target)
    if total == 0:
        raise FatalError(
            Reason.ARTIFACT_NOT_FOUND,
            f'Claim "{source.place}" has an empty directory at "{source.path}"; put the model there.',
        )


def _leads_outside(source: sources.Source, path: Path) -> FatalError:
    return FatalError(
        Reason.ARTIFACT_FORBIDDEN,
        f'"{path.name}" in {source.uri} is a link that leads out of the claim; copy the file itself there.',
    )
