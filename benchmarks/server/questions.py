"""Requests as bytes and answers as lists, in every HTTP protocol. Knows no server and no network."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.server.cases import Case, Protocol

BINARY_HEADER = "inference-header-content-length"
VARIANTS = 256
"""A few would be learnt by heart, by caches and branch predictors: a forest is then twice as fast."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and what is right to answer."""

    body: bytes
    answer: list[float]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of one model, with scikit-learn's own answers to them."""

    rows: list[list[Any]]
    answers: list[float]
    columns: list[str]

    @classmethod
    def read(cls, folder: Path) -> Sheet:
        """Read what the training left."""
        return cls(**json.loads((folder / "questions.json").read_text(encoding="utf-8")))

    def questions(self, case: Case, protocol: Protocol) -> list[Question]:
        """Return several different requests for a case, to be asked in turn."""
        count = min(VARIANTS, len(self.rows) // case.rows)
        cuts = [slice(at * case.rows, (at + 1) * case.rows) for at in range(count)]
        return [self._question(self.rows[cut], self.answers[cut], protocol) for cut in cuts]

    def _question(self, rows: list[list[Any]], answer: list[float], protocol: Protocol) -> Question:
        match protocol:
            case Protocol.V1 | Protocol.OWN:
                return _json({"instances": rows}, answer)
            case Protocol.INVOCATIONS if self.columns:
                return _json({"dataframe_split": {"columns": self.columns, "data": rows}}, answer)
            case Protocol.INVOCATIONS:
                return _json({"inputs": rows}, answer)
            case Protocol.V2:
                flat = [value for row in rows for value in row]
                return _json({"inputs": [_tensor(rows) | {"data": flat}]}, answer)
            case Protocol.V2_BINARY:
                return _binary(rows, answer)
            case Protocol.GRPC:
                raise ValueError("gRPC requests are written where the messages are known, with the models")


def _json(body: dict[str, Any], answer: list[float]) -> Question:
    return Question(_encoded(body), answer, {"content-type": "application/json"})


def _binary(rows: list[list[Any]], answer: list[float]) -> Question:
    data = b"".join(struct.pack(f"<{len(row)}d", *row) for row in rows)
    tensor = _tensor(rows) | {"parameters": {"binary_data_size": len(data)}}
    head = _encoded({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    headers = {"content-type": "application/octet-stream", BINARY_HEADER: str(len(head))}
    return Question(head + data, answer, headers)


def _tensor(rows: list[list[Any]]) -> dict[str, Any]:
    return {"name": "input-0", "datatype": "FP64", "shape": [len(rows), len(rows[0])]}


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


# --- answers --------------------------------------------------------------------------------------


def predictions(headers: Mapping[str, str], body: bytes) -> list[float]:
    """Return the predictions in an answer of any of the protocols; ValueError where there are none."""
    head = int(headers.get(BINARY_HEADER, len(body)))
    answer = json.loads(body[:head])
    if isinstance(answer, list):
        return answer
    if "predictions" in answer:
        return list(answer["predictions"])
    if not answer.get("outputs"):
        raise ValueError(f"no predictions in {body[:200]!r}")
    output = answer["outputs"][0]
    if "data" in output:
        return list(output["data"])
    size = output["parameters"]["binary_data_size"]
    code = {"INT64": "q", "INT32": "i", "FP64": "d", "FP32": "f"}[output["datatype"]]
    return list(struct.unpack(f"<{size // struct.calcsize(code)}{code}", body[head : head + size]))


def agree(wanted: list[float], given: list[float]) -> bool:
    """Tell whether two answers are the same, up to what single precision leaves of a sum of money."""
    return len(wanted) == len(given) and all(
        abs(one - other) <= 1e-5 * max(1.0, abs(one)) for one, other in zip(wanted, given, strict=True)
    )
