"""What is asked: good requests in every HTTP protocol and, among them, bad ones, each with the answer it must get."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.server import questions
from benchmarks.server.cases import IRIS_1, IRIS_100, Case, Protocol
from benchmarks.server.questions import Sheet

V1, V2, MLFLOW = "/v1/models/model:predict", "/v2/models/model/infer", "/invocations"
PATHS = {Protocol.V1: V1, Protocol.V2: V2, Protocol.V2_BINARY: V2, Protocol.INVOCATIONS: MLFLOW}
EACH = 32
"""Good requests of a protocol, all different."""
MANY_ROWS = 2
"""Good requests of a hundred rows, of a protocol."""
JSON = {"content-type": "application/json"}
CSV = {"content-type": "text/csv"}
BINARY = {"content-type": "application/octet-stream", questions.BINARY_HEADER: "150"}
LONG = b"[" * 5_000 + b"]" * 5_000


class WrongError(Exception):
    """The server does not answer as it must, before there is any load."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and what it must get."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    answer: bytes = b""


BAD = (
    Asked("JSON cut short", V1, b'{"instances": [[5.1', JSON),
    Asked("lists without end", V1, b'{"instances": ' + LONG + b"}", JSON),
    Asked("too few columns", V1, b'{"instances": [[5.1, 3.5]]}', JSON),
    Asked("text for a number", V1, b'{"instances": [[5.1, 3.5, "wide", 0.2]]}', JSON),
    Asked("NaN", V1, b'{"instances": [[null, 3.5, 1.4, 0.2]]}', JSON),
    Asked("XML", V1, b"<x/>", {"content-type": "text/xml"}),
    Asked("another model", "/v1/models/rose:predict", b"{}", JSON),
    Asked(
        "a shape that lies",
        V2,
        b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [9, 4], "data": [1]}]}',
        JSON,
    ),
    Asked(
        "a datatype nobody knows",
        V2,
        b'{"inputs": [{"name": "x", "datatype": "X", "shape": [1], "data": [1]}]}',
        JSON,
    ),
    Asked("bytes that are not there", V2, b'{"inputs": []}', BINARY),
    Asked("two shapes at once", MLFLOW, b'{"instances": [[1, 2, 3, 4]], "inputs": [[1, 2, 3, 4]]}', JSON),
    Asked("a CSV row too long", MLFLOW, b"a,b,c,d\n1,2,3,4,5\n", CSV),
)


def made(sheet: Sheet) -> list[Asked]:
    """All requests, bad ones spread among the good, without answers yet."""
    good = [one for protocol in PATHS for one in _good(sheet, protocol)]
    good += [_columns(sheet.rows[at]) for at in range(EACH)] + [_csv(sheet.rows[at]) for at in range(EACH)]
    step = len(good) // len(BAD)
    spread = []
    for at, one in enumerate(BAD):
        spread += [*good[at :: len(BAD)][: step + 1], one]
    return spread


def _good(sheet: Sheet, protocol: Protocol) -> list[Asked]:
    def of(case: Case, count: int) -> list[Asked]:
        found = sheet.questions(case, protocol)[:count]
        return [Asked(f"{protocol}, {case.rows} rows", PATHS[protocol], one.body, one.headers) for one in found]

    return of(IRIS_1, EACH) + of(IRIS_100, MANY_ROWS)


def _columns(row: list[Any]) -> Asked:
    return Asked("TF Serving's columns", V1, json.dumps({"inputs": [row]}).encode(), JSON)


def _csv(row: list[Any]) -> Asked:
    return Asked("CSV", MLFLOW, ("a,b,c,d\n" + ",".join(map(str, row)) + "\n").encode(), CSV)


def answered(port: int, asked: list[Asked]) -> list[Asked]:
    """The same with their answers, as the server gives them at rest; to bad ones a 4xx with a sentence."""
    bad = {one.name for one in BAD}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    try:
        for one in asked:
            connection.request("POST", one.path, one.body, dict(one.headers))
            reply = connection.getresponse()
            body = reply.read()
            well = 400 <= reply.status < 500 and b'"error"' in body if one.name in bad else reply.status == 200
            if not well:
                raise WrongError(f"{one.name}: {reply.status} {body[:200].decode(errors='replace')}")
            found.append(Asked(one.name, one.path, one.body, one.headers, reply.status, body))
    finally:
        connection.close()
    return found
