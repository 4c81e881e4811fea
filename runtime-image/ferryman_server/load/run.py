"""The story of a load: find the artefact, recognise it, open it; and one sentence when it will not open."""

from dataclasses import dataclass
from pathlib import Path

from ferryman_server import manifest as manifests
from ferryman_server import settings as contract
from ferryman_server.dataplane.model import Model
from ferryman_server.load import (
    context as contexts,
)
from ferryman_server.load import (
    detect,
    kserve_model,
    lightgbm_file,
    mlflow_model,
    mlmodel,
    onnx_file,
    pytorch_file,
    sklearn_file,
    tensorflow_model,
    xgboost_file,
)
from ferryman_server.reason import FatalError, Reason, first_line
from ferryman_server.settings import Format


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with where it came from; `root` may hold an input example."""

    model: Model
    root: Path
    manifest: manifests.Manifest | None


_BUILDS = {"torch": "PYTORCH", "tensorflow": "TENSORFLOW"}
"""The packages that the image has only where it was asked for, and how to ask."""


def load(settings: contract.Settings, threads: int) -> Loaded:
    """The model in `settings.model_dir`: what the fetch step left, a plain directory, or a lone file."""
    manifest = manifests.read(settings.model_dir)
    root = settings.model_dir / manifests.ARTIFACT if manifest else settings.model_dir
    name = settings.model_name
    if not root.exists() or (not manifest and (root / manifests.NAME).exists()):
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f'Model "{name}" is not whole in {settings.model_dir}; run the fetch step again.',
        )
    try:
        return Loaded(_open(root, settings, threads), root, manifest)
    except FatalError:
        raise
    except ModuleNotFoundError as error:
        raise _missing(name, root, error) from error
    except MemoryError as error:
        raise FatalError(
            Reason.LOAD_FAILED, f'Model "{name}" does not fit in the memory of its pod; raise the memory limit.'
        ) from error
    except Exception as error:  # the artefact may run any code while it loads
        raise FatalError(
            Reason.LOAD_FAILED,
            f'Model "{name}" does not load: {type(error).__name__}: {first_line(error)}; '
            "see the server's log, and try the artefact where it was made.",
        ) from error


def _open(root: Path, settings: contract.Settings, threads: int) -> Model:
    found = detect.detect(root, settings.model_format, settings.model_name)
    described = mlmodel.read(root) if found.format is Format.MLFLOW else None
    signature = described.signature if described else mlmodel.Signature()
    context = contexts.Context(
        settings.model_name,
        root,
        signature,
        settings.allow_pickle,
        threads,
        optimize=settings.optimize,
        precision=settings.precision,
        recording=settings.warmup_file,
    )
    match found.format:
        case Format.SKLEARN:
            return sklearn_file.load(found.path, context)
        case Format.XGBOOST:
            return xgboost_file.load(found.path, context)
        case Format.LIGHTGBM:
            return lightgbm_file.load(found.path, context)
        case Format.ONNX:
            return onnx_file.load(found.path, context)
        case Format.PYTORCH:
            return pytorch_file.load(found.path, context)
        case Format.TENSORFLOW:
            return tensorflow_model.load(found.path.parent, context)
        case Format.KSERVE:
            return kserve_model.load(found.path, context)
        case Format.MLFLOW | Format.AUTO:  # a found format is never AUTO
            flavors = described.flavors if described else {}
            return mlflow_model.load(root, flavors, context)


def _missing(name: str, root: Path, error: ModuleNotFoundError) -> FatalError:
    package = (error.name or first_line(error)).partition(".")[0]
    wanted = contexts.asked_for(root, package)
    asked = f" (it asks for {wanted})" if wanted else ""
    build = _BUILDS.get(package)
    remedy = f"build its image with --build-arg {build}=1" if build else "build a server image with it"
    return FatalError(
        Reason.LOAD_FAILED,
        f'Model "{name}" needs the Python package "{package}"{asked}, which this server does not have; '
        f"{remedy}, or save the model without it.",
    )
