"""The server's side of a conversion: start it, wait for it as long as it is worth, and run what it made.

Whatever goes wrong is not an error: the estimator itself serves then, and the log, the metadata and a metric say why.
"""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferryman_server import log, memory
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model, Optimization
from ferryman_server.dataplane.schema import Table
from ferryman_server.load import context as contexts
from ferryman_server.optimize import report as reports
from ferryman_server.optimize.report import Report

Opener = Callable[[Path, contexts.Context], tuple[Any, Model]]
_NAMES = {"sklearn": "scikit-learn", "xgboost": "XGBoost"}
PATIENCE = 30.0
"""Seconds; a forest of a thousand deep trees takes minutes to convert, and its pod should be ready before."""
_MEBIBYTE = 1 << 20
LEAST = 200 * _MEBIBYTE
"""What a conversion needs at least; iris takes 250 MB at its height, a forest of a hundred trees 300 MB."""
_SPARED = 32 * _MEBIBYTE
"""What is left to the server meanwhile."""


def attempt(
    path: Path, context: contexts.Context, platform: str, packages: dict[str, str], opened: Opener
) -> Model | Optimization:
    """The model as a graph, or why it is not one. `opened` opens it; the other process imports it by its name."""
    began = time.monotonic()
    told, graph = _asked(path, context, opened)
    if told.why or told.inputs is None:
        log.line(f'Model "{context.model}" is served by {_NAMES.get(platform, platform)} itself: {told.why}')
        return Optimization("native", told.why)
    import onnxruntime  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    from ferryman_server.optimize import runner  # noqa: PLC0415 - it needs NumPy

    table = _table(told.inputs)
    log.line(
        f'Model "{context.model}" is served by ONNX Runtime: {told.rows} rows answered alike in '
        f"{told.precision} precision, {time.monotonic() - began:.1f} s"
    )
    return Model(
        platform,
        table,
        runner.Runner(graph, told, table, context.threads).predict,
        packages={**packages, "onnxruntime": onnxruntime.__version__},
        quick=True,
        optimization=Optimization("onnx", "", told.precision.value, told.rows, told.worst),
    )


def reduced(path: Path, context: contexts.Context) -> tuple[bytes | None, Optimization]:
    """A net in smaller numbers, and what can be said of it; or nothing, and why."""
    began = time.monotonic()
    told, graph = _asked(path, context, None)
    if told.why:
        log.line(f'Model "{context.model}" runs in full precision: {told.why}')
        return None, Optimization("native", told.why, "full")
    log.line(
        f'Model "{context.model}" runs in {told.precision}, {told.faster:.1f} times as fast: {told.rows} rows were '
        f"compared, their numbers are {told.worst:.2%} away at most, {time.monotonic() - began:.1f} s"
    )
    return graph, Optimization("onnx", "", told.precision.value, told.rows, told.worst)


def _table(inputs: reports.Inputs) -> Table:
    packed = Kind(inputs.packed) if inputs.packed else None
    return Table(inputs.columns, named=inputs.named, packed=packed, tensor=inputs.tensor)


def _asked(path: Path, context: contexts.Context, opened: Opener | None) -> tuple[Report, bytes]:
    left = memory.left()
    if left is not None and left - _SPARED < LEAST:
        return Report(why=f"only {left // _MEBIBYTE} MiB are left below its memory limit, too few to convert it"), b""
    limit = 0 if left is None else left - _SPARED
    command = [sys.executable, "-m", "ferryman_server.optimize", str(limit)]
    # It must find every module that the server would find.
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as child:
        try:
            told, _ = child.communicate(pickle.dumps((opened, path, context)), timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            return Report(why=f"its conversion was not done within {PATIENCE:.0f} s"), b""
    try:
        return reports.read(told)
    except ValueError:
        within = f" within {limit // _MEBIBYTE} MiB" if limit else ""
        return Report(why=f"its conversion ended with exit code {child.returncode}{within}"), b""
