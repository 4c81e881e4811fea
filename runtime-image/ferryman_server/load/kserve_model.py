"""A subclass of `kserve.Model`, as its author wrote it for KServe: made, loaded and asked in the model's own thread.

KServe's protocols ask it as KServe does (kserve_requests). Whoever else asks, MLflow's clients and the warm-up, has
rows: they reach it as V1's dict or as V2's `InferRequest`, as its annotations say. An asynchronous class has an event
loop in that thread.
"""

import asyncio
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import uvloop

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.load import context as contexts
from ferryman_server.load import kserve_words as words
from ferryman_server.reason import FatalError, Reason


def load(path: Path, context: contexts.Context) -> Model:
    """The model that the file's class makes."""
    contexts.refuse_code(context, f'a kserve.Model ("{path.name}")')
    import kserve  # type: ignore[import-untyped]  # noqa: PLC0415 - it weighs much; only its own models pay for it

    from ferryman_server.load import kserve_requests  # noqa: PLC0415 - the same

    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    guest = runner.run(_opened(path, context, kserve.Model))
    inputs, outputs = (
        words.tensors(runner.run(_said(types)), context) for types in (guest.get_input_types, guest.get_output_types)
    )
    takes_requests = words.takes_requests(type(guest), typed=bool(inputs))
    schema = schemas.Tensors(inputs) if inputs and takes_requests else schemas.FREE

    def predict(rows: Rows) -> Answer:
        asked = words.request(rows, schema, context.model) if takes_requests else words.instances(rows, schema)
        return words.answer(runner.run(_asked(guest, asked)))

    return Model(
        "kserve",
        schema,
        predict,
        outputs=outputs,
        packages={"kserve": contexts.version("kserve")},
        batches=False,  # one request is one call, as the class expects
        guest=kserve_requests.Reception(guest, runner, context.model),
    )


async def _opened(path: Path, context: contexts.Context, base: type) -> Any:
    """The instance, loaded; on the loop on which it will be asked, so that what it opens there stays usable."""
    with _alone(path):
        guest = _made(_class(_imported(path), path, context, base), path, context)
        if not guest.ready:
            await _said(guest.load)
    if not guest.ready:
        raise _refused(path, context, f"load() of {type(guest).__name__} leaves it unready", "set self.ready to True")
    return guest


async def _said(method: Callable[[], Any]) -> Any:
    """What a method returns, asynchronous or not: KServe takes both."""
    value = method()
    return await value if inspect.isawaitable(value) else value


async def _asked(guest: Any, payload: Any) -> Any:
    """Preprocess, predict, postprocess, as KServe's own base class goes through them."""
    told = await guest(payload, headers={})
    return told[0] if isinstance(told, tuple) else told  # the second is headers for the response


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """A file that is also a program sees no arguments of ours, and does not end the server."""
    arguments, sys.argv = sys.argv, [str(path)]
    try:
        yield
    except SystemExit as left:
        raise RuntimeError(f'"{path.name}" ended with sys.exit({left.code!r})') from left
    finally:
        sys.argv = arguments


def _imported(path: Path) -> ModuleType:
    """The file as a module, by the name by which its package or its neighbours import it."""
    top, parts = path.parent, [path.stem]
    while (top / "__init__.py").is_file():
        parts.insert(0, top.name)
        top = top.parent
    if str(top) not in sys.path:
        sys.path.insert(0, str(top))
    name = ".".join(parts)
    if len(parts) > 1:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # noqa: PT018 - both, for any file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # also where a library has the name: its pickles mean this one
    spec.loader.exec_module(module)
    return module


def _class(module: ModuleType, path: Path, context: contexts.Context, base: type) -> type:
    """The one class that is meant: made from `kserve.Model`, written here, and not the base of another."""
    written = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, base) and one.__module__ == module.__name__
    ]
    found = {one.__name__: one for one in written if not any(one in other.__mro__[1:] for other in written)}
    if len(found) != 1:
        names = f" ({', '.join(found)})" if found else ""
        raise _refused(path, context, f"has {len(found)} classes made from kserve.Model{names}", "leave one")
    return next(iter(found.values()))


def _made(found: type, path: Path, context: contexts.Context) -> Any:
    """The instance; a class may ask for its name and, as KServe's own servers do, for its directory."""
    known = {"name": context.model, "model_dir": str(path.parent)}
    parameters = list(inspect.signature(found).parameters.values())
    given = {one.name: known[one.name] for one in parameters if one.name in known}
    wanted = [
        one.name
        for one in parameters
        if one.default is one.empty
        and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        and one.name not in given
    ]
    if len(wanted) == 1 and "name" not in given:  # the first is the name, whatever it is called
        given[wanted.pop()] = context.model
    if wanted:
        raise _refused(path, context, f"{found.__name__} asks for {', '.join(wanted)}", "give it defaults")
    return found(**given)


def _refused(path: Path, context: contexts.Context, fact: str, remedy: str) -> FatalError:
    return FatalError(Reason.LOAD_FAILED, f'"{path.name}" of model "{context.model}": {fact}; {remedy}.')
