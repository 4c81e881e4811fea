"""Which format an artefact is, by what lies in it; and which of its files is the model."""

import enum
from dataclasses import dataclass
from pathlib import Path

from ferryman_server.load import kserve_source, tensorflow_model
from ferryman_server.reason import FatalError, Reason
from ferryman_server.settings import Format

MLMODEL = "MLmodel"
SUFFIXES: dict[Format, tuple[str, ...]] = {
    Format.ONNX: (".onnx",),
    Format.SKLEARN: (".skops", ".joblib", ".pkl", ".pickle"),
    Format.XGBOOST: (".ubj", ".json", ".xgb", ".bst", ".model"),
    Format.LIGHTGBM: (".lgb", ".txt"),
    Format.PYTORCH: (".pt2", ".pt", ".pth"),
    Format.TENSORFLOW: (".pb",),
    Format.KSERVE: (".py",),
}
_PEEK = 4096
_CODE = {".joblib", ".pkl", ".pickle", ".py", ".pb", ".pt", ".pth", ".pt2"}
_BESIDE = {"warmup.jsonl", "requirements.txt"}  # what may lie beside a model that is one file of no known name


class Trust(enum.Enum):
    """Whether opening a file can run code that its author chose."""

    DATA = enum.auto()
    CODE = enum.auto()


@dataclass(frozen=True, slots=True)
class Found:
    """The format, and the file to open (the directory itself for MLflow)."""

    format: Format
    path: Path


def detect(root: Path, wanted: Format, model: str) -> Found:
    """Look for the wanted format, or for any."""
    if (root / MLMODEL).is_file() and wanted in {Format.AUTO, Format.MLFLOW}:
        return Found(Format.MLFLOW, root)
    if wanted is Format.MLFLOW:
        raise _unknown(root, model, f"has no {MLMODEL} file, so it is not an MLflow model")
    formats = tuple(SUFFIXES) if wanted is Format.AUTO else (wanted,)
    found = [Found(form, path) for form in formats for path in _candidates(root, form)]
    # A class opens the files beside it by itself.
    found = [one for one in found if one.format is Format.KSERVE] or found
    if not found and wanted is not Format.AUTO:
        lone = [path for path in files(root) if path.name not in _BESIDE]
        found = [Found(wanted, path) for path in lone if len(lone) == 1]
    if not found:
        what = "no file of a known format" if wanted is Format.AUTO else f"no {wanted} file"
        raise _unknown(root, model, f"holds {what}")
    if len(found) > 1:
        names = ", ".join(str(one.path.relative_to(root)) for one in found)
        raise _unknown(root, model, f"holds several models ({names}); leave one, or set the format")
    return found[0]


def models(root: Path) -> list[Path]:
    """Every MLflow directory, and every file of a known format that lies in none of them."""
    flavored = [file.parent for file in files(root) if file.name == MLMODEL]
    single = (path for form in SUFFIXES for path in _candidates(root, form))
    return [*flavored, *(path for path in single if not any(path.is_relative_to(one) for one in flavored))]


def files(root: Path) -> list[Path]:
    """What lies in a directory; a file is all there is of itself."""
    return [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())


def trust(path: Path) -> Trust:
    """A pickle runs code when it is opened; skops, XGBoost, LightGBM and ONNX files do not."""
    return Trust.CODE if path.suffix.lower() in _CODE else Trust.DATA


def _candidates(root: Path, form: Format) -> list[Path]:
    suffixes = SUFFIXES[form]
    return [path for path in files(root) if path.suffix.lower() in suffixes and _looks_right(path, form)]


def _looks_right(path: Path, form: Format) -> bool:
    """Suffixes that many things use are believed only with the right first bytes."""
    suffix = path.suffix.lower()
    if suffix == ".py":
        return kserve_source.defines_model(path)
    if suffix == ".pb":
        return path.name == tensorflow_model.FILE
    if suffix not in {".json", ".txt", ".model"}:
        return True
    with path.open("rb") as file:
        head = file.read(_PEEK)
    if form is Format.LIGHTGBM:
        return head.startswith(b"tree")
    return b'"learner"' in head or (suffix == ".model" and head[:1] in {b"{", b"b"})


def _unknown(root: Path, model: str, fact: str) -> FatalError:
    names = [path.name if path == root else path.relative_to(root).as_posix() for path in files(root)]
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return FatalError(
        Reason.UNKNOWN_FORMAT,
        f'Model "{model}" {fact}. It has {shown or "no files"}. Known are an MLflow directory, .onnx, .skops, '
        ".joblib, .pkl, XGBoost .ubj or .json, LightGBM .txt, PyTorch .pt2 or .pt, a TensorFlow SavedModel, and a "
        "kserve.Model in .py.",
    )
