"""Where a fetch works and how it commits, so that a kill at any moment leaves nothing half believed.

Everything arrives in a staging directory in the same volume; then one rename puts it in place; then
the manifest, written last, says that it is complete. Without a manifest, what lies there is leftovers.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ferryman_server import manifest as manifests

_STAGING = ".incoming-"


@contextlib.contextmanager
def staging(model_dir: Path) -> Iterator[Path]:
    """A fresh directory to download into; leftovers of killed runs go first, this one goes after."""
    model_dir.mkdir(parents=True, exist_ok=True)
    for leftover in model_dir.glob(f"{_STAGING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=_STAGING, dir=model_dir))
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def commit(arrived: Path, manifest: manifests.Manifest, model_dir: Path) -> None:
    """Make what arrived the artefact."""
    (model_dir / manifests.NAME).unlink(missing_ok=True)
    final = model_dir / manifests.ARTIFACT
    shutil.rmtree(final, ignore_errors=True)
    arrived.chmod(0o755)
    arrived.rename(final)
    manifests.write(manifest, model_dir)
