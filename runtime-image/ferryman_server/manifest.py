"""What the fetch step left for the server: where the bytes came from, and that they are all there.

The manifest is written last, by a rename, so its presence means that the fetch is complete.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

NAME = ".ferryman.json"
ARTIFACT = "artifact"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One completed fetch."""

    uri: str
    digest: str
    files: dict[str, int]
    bytes: int
    seconds: float


def write(manifest: Manifest, model_dir: Path) -> None:
    """Commit a fetch."""
    draft = model_dir / f"{NAME}.draft"
    draft.write_text(json.dumps(dataclasses.asdict(manifest), indent=1), encoding="utf-8")
    draft.replace(model_dir / NAME)


def read(model_dir: Path) -> Manifest | None:
    """The completed fetch in this directory, or None: never fetched, half fetched, or since damaged."""
    try:
        manifest = Manifest(**json.loads((model_dir / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    root = model_dir / ARTIFACT
    for path, size in manifest.files.items():
        file = root / path
        if not file.is_file() or file.stat().st_size != size:
            return None
    return manifest
