"""The converting process for an ONNX net that shall count in smaller numbers: FP16, or whole numbers of eight bits.

Only where somebody asked for it: a net answers a little otherwise then. Its own data must be there to compare on, it
must stay within the bounds of `closeness`, and it must be faster on this very machine; else the net runs as it is.
"""

import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Rows
from ferryman_server.load import context as contexts
from ferryman_server.load import onnx_file
from ferryman_server.optimize import closeness, neighbours, report
from ferryman_server.optimize.report import Precision, Report

GAIN = 1.1
"""How many times as fast it must be; less is not worth another answer."""
_LARGEST = 1 << 30
"""Bytes of a file; a graph and its copies must fit into memory, and below the limit of a protobuf message."""
_PRODUCTS = {"MatMul", "Gemm", "Conv", "ConvTranspose", "Attention", "LSTM", "GRU"}
_CALIBRATION = 128
_ROUNDS, _SECONDS = 40, 1.0
_BATCH = 32
_CPUINFO = Path("/proc/cpuinfo")


def convert(path: Path, context: contexts.Context) -> bytes:
    """What goes on the pipe: a graph, or why there is none."""
    precision = Precision(context.precision)
    if path.stat().st_size > _LARGEST:
        return report.write(Report(why=f"it is larger than {_LARGEST >> 20} MiB"))
    net = _opened(path)
    why = _unfit(net)
    if why:
        return report.write(Report(why=why))
    full = onnx_file.wrap(onnx_file.session(path, context.threads), context)
    known = neighbours.known(full, context)
    if not known:
        return report.write(Report(why="it has neither an input example nor recorded requests to compare answers on"))
    graph = _REDUCERS[precision](net, known)
    small = onnx_file.wrap(onnx_file.session(graph, context.threads), context)
    bounds = closeness.BOUNDS[precision]
    verdict = closeness.compare(full.predict, small.predict, known, neighbours.near(known), bounds)
    if verdict.why:
        return report.write(Report(why=f"in {precision} {verdict.why}"))
    faster = gain(full, small, known)
    if faster < GAIN:
        return report.write(Report(why=f"in {precision} it would be {faster:.2f} times as fast on this machine"))
    return report.write(Report(precision=precision, rows=verdict.rows, worst=verdict.worst, faster=faster), graph)


def _opened(path: Path) -> Any:
    import onnx  # noqa: PLC0415 - only the converting process has it in memory

    return onnx.load(path, load_external_data=False)


def _unfit(net: Any) -> str:
    """Why nothing can be won or tried."""
    from onnx.external_data_helper import uses_external_data  # noqa: PLC0415

    if not _PRODUCTS & {node.op_type for node in net.graph.node}:
        return "it has no products of matrices to count in smaller numbers; trees have none"
    if any(uses_external_data(one) for one in net.graph.initializer):
        return "its weights lie in another file"
    return ""


# --- the two ways ---------------------------------------------------------------------------------


def _half(net: Any, _known: list[Rows]) -> bytes:
    """FP16 inside; what goes in and out keeps its type."""
    from onnxruntime.transformers import float16  # noqa: PLC0415

    told: bytes = float16.convert_float_to_float16(net, keep_io_types=True).SerializeToString()
    return told


def _int8(net: Any, known: list[Rows]) -> bytes:
    """Weights in eight bits, and so what runs between them: scaled anew for each request, or, for convolutions, once.

    Convolutions that scale for each request take five times as long as in FP32; so the data's own rows say how large
    their values become.
    """
    from onnxruntime import quantization  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "net.onnx"
        if any(node.op_type.startswith("Conv") for node in net.graph.node):
            quantization.quantize_static(net, made, _reader(net, known), per_channel=True, reduce_range=saturates())
        else:
            quantization.quantize_dynamic(net, made, per_channel=True, reduce_range=saturates())
        return made.read_bytes()


_REDUCERS: dict[Precision, Callable[[Any, list[Rows]], bytes]] = {Precision.HALF: _half, Precision.INT8: _int8}


def _reader(net: Any, known: list[Rows]) -> Any:
    """The data's own rows, as the calibration asks for them."""
    from onnxruntime.quantization import CalibrationDataReader  # noqa: PLC0415

    weights = {one.name for one in net.graph.initializer}
    names = tuple(one.name for one in net.graph.input if one.name not in weights)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[dict[str, Any]] = (
                dict(zip(names, batch.arrays, strict=True)) for batch in _few(known)
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self._feeds, None)

    return Reader()


def _few(known: list[Rows]) -> Iterator[Rows]:
    left = _CALIBRATION
    for batch in known:
        if left <= 0:
            return
        yield batch if batch.count <= left else first(batch, left)
        left -= batch.count


def first(batch: Rows, count: int) -> Rows:
    """The first rows of a batch."""
    return Rows(tuple(array[:count] for array in batch.arrays), min(count, batch.count), batch.names)


def saturates(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether a sum of two products of eight bits overflows: in x86 processors before VNNI. Then seven are used."""
    try:
        return platform.machine() == "x86_64" and "vnni" not in cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return True


# --- what it brings -------------------------------------------------------------------------------


def gain(full: Model, small: Model, known: list[Rows]) -> float:
    """How many times as fast the small one is, for one row or for a batch: whichever gains less."""
    whole = max(known, key=lambda batch: batch.count)
    sizes = [first(whole, 1), first(whole, _BATCH)] if full.batches else [whole]
    return min(_gain(full, small, rows) for rows in sizes)


def _gain(full: Model, small: Model, rows: Rows) -> float:
    """By the best of many runs, taken in turns: what else the machine does disturbs the others."""
    best = [float("inf"), float("inf")]
    ends = time.monotonic() + _SECONDS
    for done in range(_ROUNDS):
        if done > 2 and time.monotonic() > ends:
            break
        for at, model in enumerate((full, small)):
            began = time.perf_counter()
            model.predict(rows)
            best[at] = min(best[at], time.perf_counter() - began)
    return best[0] / best[1]
