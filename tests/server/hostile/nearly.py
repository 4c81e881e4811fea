"""Requests of a model in every protocol: the good ones, from its own example, and bad ones made of them by chance."""

import json
import struct
from dataclasses import dataclass, field, replace
from typing import Any

from server.hostile import mutations
from server.hostile.mutations import Chance

from ferryman_server.dataplane.kind import Kind
from ferryman_server.grpc_api import inference_pb2 as messages
from ferryman_server.oip import tensors
from ferryman_server.rest import example
from ferryman_server.serving import Serving

V1, V2, MLFLOW = "/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"
LENGTH = "inference-header-content-length"
JSON = {"content-type": "application/json"}
CODES = {Kind.FP16: "e", Kind.FP32: "f", Kind.FP64: "d", Kind.BOOL: "?"} | dict(
    zip([kind for kind in Kind if kind.is_integer], "bhiqBHIQ", strict=True)
)
ENCODINGS = ("", "gzip", "deflate", "identity", "br", "gzip,gzip")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; of gRPC's the body is the framed message."""

    protocol: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Good:
    """A model's own example in each protocol's words; no CSV for tensors."""

    v1: Any
    tf: Any
    v2: Any
    mlflow: Any
    csv: str

    def requests(self) -> list[Asked]:
        """One request in each protocol, all of which are answered."""
        found = [
            Asked("V1", V1, mutations.encoded(self.v1), JSON),
            Asked("TF Serving", V1, mutations.encoded(self.tf), JSON),
            Asked("V2 JSON", V2, mutations.encoded(self.v2), JSON),
            binary(*parts(self.v2)),
            Asked("MLflow JSON", MLFLOW, mutations.encoded(self.mlflow), JSON),
            called(message(self.v2).SerializeToString()),
        ]
        return found + (
            [Asked("MLflow CSV", MLFLOW, self.csv.encode(), {"content-type": "text/csv"})] if self.csv else []
        )


def good(serving: Serving, otherwise: Any = None) -> Good:
    """From the model's example; `otherwise` is V2's body for a model that has none."""
    bodies = example.bodies(serving)
    if bodies is None:
        [lone] = otherwise["inputs"]
        rows = [lone["data"][at : at + lone["shape"][1]] for at in range(0, len(lone["data"]), lone["shape"][1])]
        return Good({"instances": rows}, {"inputs": rows}, otherwise, {"inputs": rows}, "")
    rows = bodies.v1["instances"]
    columns = {name: [row[name] for row in rows] for name in rows[0]} if isinstance(rows[0], dict) else rows
    return Good(bodies.v1, {"inputs": columns}, bodies.v2, bodies.invocations, bodies.csv)


# --- V2's bytes -----------------------------------------------------------------------------------


def parts(v2: Any) -> tuple[Any, list[bytes]]:
    """V2's body with its values as bytes, one piece a tensor."""
    inputs, pieces = [], []
    for one in v2["inputs"]:
        piece = packed(Kind(one["datatype"]), one["data"])
        head = {key: value for key, value in one.items() if key != "data"}
        inputs.append({**head, "parameters": {"binary_data_size": len(piece)}})
        pieces.append(piece)
    return {**v2, "inputs": inputs}, pieces


def packed(kind: Kind, values: list[Any]) -> bytes:
    """Values as the protocol's bytes."""
    if kind is Kind.BYTES:
        return b"".join(struct.pack("<I", len(one.encode())) + one.encode() for one in values)
    return struct.pack(f"<{len(values)}{CODES[kind]}", *(float("nan") if one is None else one for one in values))


def binary(head: Any, pieces: list[bytes]) -> Asked:
    """A body of JSON and bytes."""
    said = mutations.encoded(head)
    return Asked("V2 binary", V2, b"".join((said, *pieces)), {LENGTH: str(len(said))})


# --- gRPC -----------------------------------------------------------------------------------------


def message(v2: Any) -> Any:
    """The same tensors as a message, raw."""
    head, pieces = parts(v2)
    inputs = [{key: one[key] for key in ("name", "datatype", "shape")} for one in head["inputs"]]
    return messages.ModelInferRequest(model_name="iris", inputs=inputs, raw_input_contents=pieces)


def called(content: bytes, flag: int = 0, length: int | None = None, **headers: str) -> Asked:
    """A framed message, as it says or as it is."""
    size = len(content) if length is None else length
    frame = bytes([flag]) + struct.pack(">I", size % 2**32) + content
    named = {"content-type": "application/grpc", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Asked("gRPC", "/inference.GRPCInferenceService/ModelInfer", frame, named)


def _another_shape(chance: Chance, _asked: Any, lone: Any) -> None:
    lone.shape[:] = [chance.choice((0, 1, -1, 2**40, 2**63 - 1)) for _ in range(chance.choice((0, 1, 2, 33)))]


def _another_datatype(chance: Chance, _asked: Any, lone: Any) -> None:
    lone.datatype = chance.choice((*tensors.KINDS, "", "BF16", "x" * 3_000))


def _another_name(chance: Chance, _asked: Any, lone: Any) -> None:
    lone.name = chance.choice((*mutations.TEXTS, "x" * 20_000))


def _other_bytes(chance: Chance, asked: Any, _lone: Any) -> None:
    at = chance.randrange(len(asked.raw_input_contents))
    asked.raw_input_contents[at] = mutations.cut(chance, asked.raw_input_contents[at])


def _more_bytes(chance: Chance, asked: Any, _lone: Any) -> None:
    asked.raw_input_contents.append(chance.randbytes(chance.randrange(40)))


def _typed(chance: Chance, asked: Any, lone: Any) -> None:
    del asked.raw_input_contents[:]
    lone.contents.fp64_contents.extend([1.0, float("nan")] * chance.randrange(4))
    lone.contents.bytes_contents.extend([b"\xff", b"a"][: chance.randrange(3)])
    lone.contents.int64_contents.extend([2**63 - 1, -1][: chance.randrange(3)])


def _other_outputs(chance: Chance, asked: Any, _lone: Any) -> None:
    asked.outputs.add(name=chance.choice(mutations.WORDS))
    asked.id = chance.choice(mutations.TEXTS)


def _twice(_chance: Chance, asked: Any, lone: Any) -> None:
    asked.inputs.add().CopyFrom(lone)


def _another_model(chance: Chance, asked: Any, _lone: Any) -> None:
    asked.model_name = chance.choice(("iris", "rose", "", "x" * 9_000))
    asked.model_version = chance.choice(("", "7", "8"))


_SPOILS = (
    *(_another_shape, _another_datatype, _another_name, _other_bytes, _more_bytes),
    *(_typed, _other_outputs, _twice, _another_model),
)


def _call(chance: Chance, given: Good) -> Asked:
    asked = message(given.v2)
    chance.choice(_SPOILS)(chance, asked, chance.choice(asked.inputs))
    content = asked.SerializeToString()
    if chance.random() < 0.4:
        content = mutations.cut(chance, content)
    if chance.random() < 0.8:
        return called(content)
    lies = chance.choice((None, len(content) + 1, 0, 2**32 - 1))
    return called(content, chance.choice((0, 1, 7)), lies, grpc_encoding=chance.choice(ENCODINGS))


# --- bad ones -------------------------------------------------------------------------------------


def bad(chance: Chance, given: Good) -> Asked:
    """A request that is nearly good; sometimes it is."""
    asked = _KINDS[chance.randrange(len(_KINDS))](chance, given)
    if asked.protocol == "gRPC":
        return asked
    if chance.random() < 0.25:
        asked = replace(asked, body=mutations.cut(chance, asked.body))
    if chance.random() < 0.03:
        kind = chance.choice(("text/csv", "application/json; charset=utf-16", "", "text/xml", "x" * 300))
        asked = replace(asked, headers={**asked.headers, "content-type": kind})
    return asked


def _v1(chance: Chance, given: Good) -> Asked:
    return Asked("V1", V1, mutations.encoded(mutations.changed(chance, given.v1)), JSON)


def _tf(chance: Chance, given: Good) -> Asked:
    return Asked("TF Serving", V1, mutations.encoded(mutations.changed(chance, given.tf)), JSON)


def _v2(chance: Chance, given: Good) -> Asked:
    return Asked("V2 JSON", V2, mutations.encoded(mutations.changed(chance, given.v2)), JSON)


def _v2_binary(chance: Chance, given: Good) -> Asked:
    head, pieces = parts(given.v2)
    if chance.random() < 0.6:
        head = mutations.changed(chance, head)
    if chance.random() < 0.5:
        at = chance.randrange(len(pieces))
        pieces[at] = mutations.cut(chance, pieces[at])
    asked = binary(head, pieces)
    if chance.random() < 0.2:
        size = len(asked.body)
        lie = chance.choice((0, size, size + 1, size // 2, -1, 10**30, "x", "", "1e2", " 3"))
        asked = replace(asked, headers={LENGTH: str(lie)})
    return asked


def _mlflow(chance: Chance, given: Good) -> Asked:
    shape = chance.choice((given.mlflow, {"dataframe_records": given.v1["instances"]}, given.tf, given.v1))
    return Asked("MLflow JSON", MLFLOW, mutations.encoded(mutations.changed(chance, shape)), JSON)


def _csv(chance: Chance, given: Good) -> Asked:
    if not given.csv:
        return _mlflow(chance, given)
    lines = [line.split(",") for line in given.csv.splitlines()]
    for _ in range(chance.choice((1, 1, 2))):
        line = chance.choice(lines)
        at = chance.randrange(len(line)) if line else 0
        cell = chance.choice((*mutations.TEXTS, '"', '"a\nb"', "\r", "1_0", "١", "inf", "-nan", "1e400", "9" * 400))
        line[at:at] = [cell] if chance.random() < 0.3 else []
        if line:
            line[at : at + 1] = [] if chance.random() < 0.2 else [cell]
    page = "\n".join(",".join(line) for line in lines)
    return Asked("MLflow CSV", MLFLOW, page.encode(), {"content-type": "text/csv"})


_KINDS = (_v1, _v1, _tf, _v2, _v2, _v2_binary, _v2_binary, _mlflow, _mlflow, _csv, _call)


def spelled(asked: Asked) -> str:
    """A request as a person reads it, for a report."""
    return f"{asked.protocol} {asked.path} {json.dumps(asked.headers)} {asked.body[:2000]!r}"
