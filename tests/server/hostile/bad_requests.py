"""Bad requests, one a line: to which model and path, what is wrong, what it gets, a word that the error must have.

Each line is lived by test_bad_requests.py against a server in a process of its own or, where the model exists only in
memory, against the application.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

from server import iris
from server.hostile import tensor_model

V1, TF, V2, MLFLOW = "/v1/models/iris:predict", "/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"
LENGTH = "inference-header-content-length"
FLOWER = iris.FLOWERS[0]
SPLIT = {"columns": iris.NAMES, "data": [FLOWER]}
MANY = "9" * 400

# A good request of each model on disk, and its answer.
GOOD = {
    "iris": ({"instances": iris.FLOWERS}, {"predictions": iris.KINDS}),
    "homes": ({"instances": [["ulm", 3, 70.5]]}, {"predictions": [{"city": "ULM", "rooms": 6}]}),
    "tensors": (
        {"inputs": {"numbers": tensor_model.NUMBERS, "words": tensor_model.WORDS}},
        {
            "outputs": {
                "doubled": [[[2 * one for one in row] for row in matrix] for matrix in tensor_model.NUMBERS],
                "said": tensor_model.WORDS,
            }
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Bad:
    """One request that is refused."""

    world: str
    path: str
    wrong: str
    body: bytes
    word: str
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"

    def __str__(self) -> str:
        return f"{self.world} {self.path} {self.wrong}"


def _json(world: str, path: str, wrong: str, body: Any, word: str, *, status: int = 400, **headers: str) -> Bad:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Bad(world, path, wrong, content, word, status, {"content-type": "application/json", **named})


def _csv(world: str, wrong: str, body: str | bytes, word: str) -> Bad:
    content = body if isinstance(body, bytes) else body.encode()
    return Bad(world, MLFLOW, f"CSV, {wrong}", content, word, headers={"content-type": "text/csv"})


def tensor(**changed: Any) -> dict[str, Any]:
    """One flower in V2's words; `...` leaves a key out."""
    whole = {"name": "x", "datatype": "FP64", "shape": [1, 4], "data": FLOWER, **changed}
    return {key: value for key, value in whole.items() if value is not ...}


def _v2(wrong: str, word: str, *, world: str = "iris", **changed: Any) -> Bad:
    return _json(world, V2, wrong, {"inputs": [tensor(**changed)]}, word)


def binary(head: Any, tail: bytes, length: str | None = None) -> tuple[bytes, str]:
    """A body of JSON and bytes, and what its header says."""
    said = head if isinstance(head, bytes) else json.dumps(head).encode()
    return said + tail, str(len(said)) if length is None else length


def _bytes(
    wrong: str,
    word: str,
    tail: bytes,
    *,
    world: str = "iris",
    length: str | None = None,
    head: Any = None,
    **changed: Any,
) -> Bad:
    asked = {"data": ..., "parameters": {"binary_data_size": len(tail)}, **changed}
    content, said = binary({"inputs": [tensor(**asked)]} if head is None else head, tail, length)
    return Bad(world, V2, f"binary, {wrong}", content, word, headers={LENGTH: said})


ROW = struct.pack("<4d", *FLOWER)
TEXTS = {"name": "words", "datatype": "BYTES", "shape": [2]}
NUMBERS = {"name": "numbers", "datatype": "FP32", "shape": [2, 2, 3], "data": tensor_model.NUMBERS}
SAID = {"name": "words", "datatype": "BYTES", "shape": [2], "data": tensor_model.WORDS}


def _both(wrong: str, word: str, *, numbers: Any = None, words: Any = None, **more: Any) -> Bad:
    inputs = [{**NUMBERS, **(numbers or {})}, {**SAID, **(words or {})}]
    return _json("tensors", V2, wrong, {"inputs": inputs, **more}, word)


def _home(**changed: Any) -> dict[str, Any]:
    return {"instances": [{"city": "ulm", "rooms": 3, "area": 70.5, **changed}]}


DEEP = b"[" * 400 + b"]" * 400

LINES = (
    # --- JSON itself
    _json("iris", V1, "cut short", b'{"instances": [[5.1, 3.5', "not valid JSON"),
    _json("iris", V1, "two objects", b'{"instances": [[1, 2, 3, 4]]}{}', "not valid JSON"),
    _json("iris", V1, "a comma too many", b'{"instances": [[1, 2, 3, 4],]}', "not valid JSON"),
    _json("iris", V1, "single quotes", b"{'instances': [[1, 2, 3, 4]]}", "not valid JSON"),
    _json("iris", V1, "UTF-16", '{"instances": [[1, 2, 3, 4]]}'.encode("utf-16"), "not valid JSON"),
    _json("iris", V1, "Latin-1", '{"instances": [["grün", 2, 3, 4]]}'.encode("latin-1"), "not valid JSON"),
    _json("iris", V1, "half of a surrogate pair", b'{"instances": [["\\ud800", 2, 3, 4]]}', "not valid JSON"),
    _json("iris", V1, "a number with a zero before it", b'{"instances": [[01, 2, 3, 4]]}', "not valid JSON"),
    _json("iris", V1, "a number beyond all", b'{"instances": [[1e400, 2, 3, 4]]}', "not valid JSON"),
    _json("iris", V1, "5,000 digits", b'{"instances": [[%s, 2, 3, 4]]}' % (b"9" * 5_000), "not valid JSON"),
    _json("iris", V1, "100,000 lists in each other", b"[" * 100_000 + b"]" * 100_000, "not valid JSON"),
    _json("iris", V1, "100,000 objects in each other", b'{"a":' * 100_000, "not valid JSON"),
    _json("iris", V1, "null", b"null", "must be a JSON object"),
    _json("iris", V1, "a NUL at its end", b'{"instances": [[1, 2, 3, 4]]}\0', "not valid JSON"),
    _json("iris", V1, "an empty key", {"": [[1, 2, 3, 4]]}, '"instances"'),
    _json("iris", V1, "a key of 100 KB", {"a" * 100_000: 1}, "aaa..."),
    # --- V1
    _json("iris", V1, "a row of text", {"instances": ["5.1,3.5,1.4,0.2"]}, "must be a row"),
    _json("iris", V1, "a row of nothing", {"instances": [[]]}, "4 values a row"),
    _json("iris", V1, "null for a row", {"instances": [None]}, "must be a row"),
    _json("iris", V1, "null for rows", {"instances": None}, "must be a list of rows"),
    _json("iris", V1, "a matrix in a matrix", {"instances": [[FLOWER]]}, "4 values a row"),
    _json("iris", V1, "an object after lists", {"instances": [FLOWER, dict.fromkeys(iris.NAMES, 1)]}, "an object"),
    _json(
        "iris", V1, "a list after objects", {"instances": [dict.fromkeys(iris.NAMES, 1), FLOWER]}, "like the first"
    ),
    _json("iris", V1, "a value that is an object", {"instances": [[{}, 2, 3, 4]]}, "got an object"),
    _json("iris", V1, "a number that no double holds", b'{"instances": [[%s, 2, 3, 4]]}' % MANY.encode(), "FP64"),
    _json(
        "iris",
        V1,
        "names in another case",
        {"instances": [dict.fromkeys([n.upper() for n in iris.NAMES], 1)]},
        "miss",
    ),
    _json("iris", V1, "NaN where the model has none", {"instances": [[None, 2, 3, 4]]}, "does not take these values"),
    _json("iris", V1, "values lists in lists 400 deep", b'{"instances": [[%s, 2, 3, 4]]}' % DEEP, "a list of 1"),
    _json("homes", V1, "text where a whole number goes", _home(rooms="three"), '"three"'),
    _json("homes", V1, "half a room", _home(rooms=2.5), "a whole number (INT64)"),
    _json("homes", V1, "more rooms than a number holds", _home(rooms=2**63), "does not fit INT64"),
    _json(
        "homes", V1, "400 digits of rooms", b'{"instances": [["ulm", 1.0, 1], ["ulm", %s, 1]]}' % MANY.encode(), "fit"
    ),
    _json("homes", V1, "a number for a city", _home(city=5), "a string"),
    _json("homes", V1, "null for a city", _home(city=None), "got null"),
    _json("homes", V1, "no city", {"instances": [{"rooms": 3}]}, 'misses "city"'),
    # --- TF Serving
    _json(
        "iris",
        TF,
        "columns of unequal length",
        {"inputs": {n: [1] * (2 - at % 2) for at, n in enumerate(iris.NAMES)}},
        "equally long",
    ),
    _json("iris", TF, "columns that are values", {"inputs": dict.fromkeys(iris.NAMES, 1)}, "one entry per row"),
    _json("iris", TF, "no columns", {"inputs": {}}, "is empty"),
    _json("iris", TF, "a column that is not there", {"inputs": {"petals": [1]}}, "petals"),
    _json("iris", TF, "10,000 columns", {"inputs": {f"c{at}": [1] for at in range(10_000)}}, "and 9988 more"),
    _json(
        "iris", TF, "a signature that is a list", {"signature_name": [["x"]], "instances": [FLOWER]}, "no signature"
    ),
    _json("iris", TF, "a signature 400 deep", b'{"signature_name": %s, "instances": [[1]]}' % DEEP, "no signature"),
    _json("tensors", TF, "one of two tensors", {"inputs": {"words": ["a"]}}, 'misses "numbers"'),
    _json(
        "tensors",
        TF,
        "tensors of unequal rows",
        {"inputs": {"numbers": tensor_model.NUMBERS, "words": ["a"]}},
        "equally",
    ),
    # --- V2
    _v2("no name", "misses name", name=...),
    _v2("a name that is a number", '"name" must be a string', name=5),
    _v2("no shape", "misses shape", shape=...),
    _v2("a shape that is a number", '"shape" must be a list of sizes', shape=4),
    _v2("a shape 400 deep", '"shape" must be a list', shape=json.loads(DEEP)),
    _v2("a datatype 400 deep", "has datatype", datatype=json.loads(DEEP)),
    _v2("a shape of truth", '"shape" must be a list of sizes', shape=[True, 4]),
    _v2("a shape of more than there is", '"shape" must be a list of sizes', shape=[0, 2**40, 2**40], data=[]),
    _v2("a shape in 33 dimensions", '"shape" must be a list of sizes', shape=[1] * 33),
    _v2("a shape for the wrong columns", "must have shape [-1, 4]", shape=[4, 1]),
    _v2("a datatype that is null", "known are BOOL", datatype=None),
    _v2("a datatype in small letters", "known are BOOL", datatype="fp64"),
    _v2("a datatype that cannot become this one", "must have datatype FP64", datatype="BOOL", data=[True] * 4),
    _v2("data that is an object", '"data" must be a list', data={}),
    _v2("data of other lengths", "not rectangular", shape=[3, 4], data=[FLOWER, FLOWER[:3], [*FLOWER, 1]]),
    _v2("data of lists and values", "not rectangular", shape=[2, 4], data=[FLOWER, 1, 2, 3, 4]),
    _v2("an element that is text", "element 3", data=[1, 2, 3, "4"]),
    _v2("parameters that are text", '"parameters" must be an object', parameters="x"),
    _v2("parameters that are no list either", '"parameters" must be an object', parameters=[]),
    _v2("shared memory", "an extension that is not served", parameters={"shared_memory_region": "a"}),
    _json("iris", V2, "an id that is an object", {"id": {}, "inputs": [tensor()]}, '"id" must be a string'),
    _json("iris", V2, "an id 400 deep", b'{"id": %s, "inputs": []}' % DEEP, ""),
    _json("iris", V2, "inputs that are an object", {"inputs": tensor()}, "a list of tensors"),
    _json("iris", V2, "an output without a name", {"inputs": [tensor()], "outputs": [{}]}, "objects with a name"),
    _json("iris", V2, "outputs that are false", {"inputs": [tensor()], "outputs": False}, "objects with a name"),
    _json(
        "iris",
        V2,
        "a flag that is a number",
        {"inputs": [tensor()], "parameters": {"binary_data_output": 1}},
        "true or false",
    ),
    _both("a tensor that is not there", 'misses "words"', words={"name": "wörter"}),
    _both("a tensor of another size", "must have shape [-1, 2, 3]", numbers={"shape": [2, 3, 2]}),
    _both("tensors of unequal rows", "same number of rows", words={"shape": [1], "data": ["a"]}),
    _both("text where numbers go", "must have datatype FP32", numbers={"datatype": "BYTES"}),
    _both("numbers where text goes", "must have datatype BYTES", words={"datatype": "INT64", "data": [1, 2]}),
    _both("rows of other lengths", "not rectangular", numbers={"data": [[[1, 2, 3]], [[1, 2, 3]] * 3]}),
    # --- V2 with bytes
    _bytes("a byte too few", "must have 32 bytes", ROW[:-1]),
    _bytes("a byte too many", "must have 32 bytes", ROW + b"\0"),
    _bytes(
        "a size that lies upwards",
        "has 40 bytes after the JSON; 32 are left",
        ROW,
        parameters={"binary_data_size": 40},
    ),
    _bytes("a size that lies downwards", "must have 32 bytes", ROW, parameters={"binary_data_size": 8}),
    _bytes("a size of a yottabyte", "after the JSON", ROW, parameters={"binary_data_size": 10**24}),
    _bytes("a negative size", "must be a number of bytes", ROW, parameters={"binary_data_size": -1}),
    _bytes("a size that is text", "must be a number of bytes", ROW, parameters={"binary_data_size": "32"}),
    _bytes(
        "bytes that nobody asked for", "bytes after its last tensor", ROW + b"\0", parameters={"binary_data_size": 32}
    ),
    _bytes("a length beyond the body", LENGTH, ROW, length="9999"),
    _bytes("a length of text", LENGTH, ROW, length="many"),
    _bytes("a length of 400 digits", LENGTH, ROW, length=MANY),
    _bytes("a length that cuts the JSON", "not valid JSON", ROW, length="20"),
    _bytes("a length that takes bytes for JSON", "not valid JSON", ROW, length="130"),
    _bytes("NaN where the model has none", "does not take these values", struct.pack("<4d", 1, 2, 3, float("nan"))),
    _bytes("a text that is longer than it says", "is cut short", b"\xff\xff\xff\xffabc", world="tensors", **TEXTS),
    _bytes(
        "texts that are not UTF-8",
        "not UTF-8",
        b"\x01\0\0\0\xff\0\0\0\0",
        world="tensors",
        head={"inputs": [{**TEXTS, "parameters": {"binary_data_size": 9}}, NUMBERS]},
    ),
    _bytes("half a million empty texts", "and it has more", bytes(500_000), world="tensors", **TEXTS),
    # --- MLflow
    _json(
        "iris", MLFLOW, "a split without data", {"dataframe_split": {"columns": iris.NAMES}}, '"columns" and "data"'
    ),
    _json(
        "iris",
        MLFLOW,
        "columns that are objects",
        {"dataframe_split": {**SPLIT, "columns": [{}] * 4}},
        "list of names",
    ),
    _json(
        "iris",
        MLFLOW,
        "a column twice",
        {"dataframe_split": {**SPLIT, "columns": [*iris.NAMES[:3], iris.NAMES[0]]}},
        "more than once",
    ),
    _json(
        "iris",
        MLFLOW,
        "a row too short",
        {"dataframe_split": {**SPLIT, "data": [FLOWER, FLOWER[:2]]}},
        "got 2 values",
    ),
    _json("iris", MLFLOW, "a row that is none", {"dataframe_split": {**SPLIT, "data": [5]}}, "got the number 5"),
    _json("iris", MLFLOW, "no rows", {"dataframe_split": {**SPLIT, "data": []}}, "at least one row"),
    _json("iris", MLFLOW, "two shapes", {"dataframe_split": SPLIT, "instances": [FLOWER]}, "exactly one of"),
    _json("iris", MLFLOW, "infinity", b'{"instances": [[Infinity, 2, 3, 4]]}', "does not take these values"),
    _json(
        "iris",
        MLFLOW,
        "NaN and half of a surrogate pair",
        b'{"dataframe_records": [{"\\ud800": NaN}]}',
        "not valid JSON",
    ),
    _json(
        "iris",
        MLFLOW,
        "NaN and bytes that are no UTF-8",
        b'{"dataframe_records": [{"\xed\xa0\x80": NaN}]}',
        "not valid JSON",
    ),
    _json("iris", MLFLOW, "parameters", {"instances": [FLOWER], "params": {"alpha": 1}}, '"params"'),
    _json("homes", MLFLOW, "NaN for rooms", b'{"dataframe_records": [{"city": "ulm", "rooms": NaN}]}', "got null"),
    _csv("iris", "nothing", "", "a header and at least one row"),
    _csv("iris", "a column twice", "a,a\n1,2\n", 'names "a" more than once'),
    _csv("iris", "an open quote", ",".join(iris.NAMES) + '\n"1,2,3,4\n', "not valid CSV"),
    _csv("iris", "a cell of text", ",".join(iris.NAMES) + "\n1,2,three,4\n", '"three"'),
    _csv("iris", "a number as Python writes it", ",".join(iris.NAMES) + "\n1_0,2,3,4\n", '"1_0"'),
    _csv("iris", "a row too long", ",".join(iris.NAMES) + "\n1,2,3,4,5\n", "has 5 cells"),
    _csv("iris", "Latin-1", ",".join(iris.NAMES).encode() + b"\n\xfc,2,3,4\n", "not valid CSV"),
    _csv("iris", "a cell of 200 KB", ",".join(iris.NAMES) + "\n" + "1" * 200_000 + ",2,3,4\n", "not valid CSV"),
    _csv("homes", "half a room", "city,rooms\nulm,2.5\n", '"2.5"'),
    # --- what is around the body
    _json("iris", V1, "XML", b"<x/>", "send application/json", status=415, content_type="text/xml"),
    _json("iris", V1, "bytes", ROW, "send application/json", status=415, content_type="application/octet-stream"),
    _json(
        "iris",
        V2,
        "a form",
        b"--x--",
        "send application/json",
        status=415,
        content_type="multipart/form-data; boundary=x",
    ),
    _json(
        "iris",
        MLFLOW,
        "no content type that there is",
        b"{}",
        "send application/json",
        status=415,
        content_type="text; json",
    ),
    _json("iris", "/v1/models/rose:predict", "another model", {}, 'no model "rose"', status=404),
    _json(
        "iris", "/v1/models/iris/versions/latest:predict", "another version", {}, 'no version "latest"', status=404
    ),
    _json("iris", "/v1/models/iris/versions/7:regress", "another verb", {}, 'no verb "regress"', status=404),
    _json("iris", "/v2/models/iris/versions/-7/infer", "a negative version", {}, 'no version "-7"', status=404),
    _json("iris", "/v1/models/%ff%00%0d%0a:predict", "a model that is no text", {}, "no model", status=404),
    _json(
        "iris", "/v2/repository/index", "a part of the protocol that is not served", {}, "Nothing is at", status=404
    ),
    Bad("iris", V1, "the wrong method", b"", "use POST", 405, method="PUT"),
    Bad("iris", "/healthz", "the wrong method of a probe", b"", "use GET", 405, method="DELETE"),
    Bad("iris", "/" + "a" * 5_000, "a path of 5 KB", b"", "Nothing is at", 404, method="GET"),
    # --- models that exist only in memory
    _json("free", V1, "rows without columns", {"instances": [{}]}, "have no values"),
    _json("free", V1, "rows of other columns", {"instances": [{"a": 1}, {"b": 1}]}, "the names of the first row"),
    _json("free", V1, "rows of other lengths", {"instances": [[1, 2], [3]]}, "2 values, like the first row"),
    _json("free", V1, "lists of other lengths", {"instances": [[[1, 2]], [[3]]]}, "not rectangular"),
    _json(
        "free",
        V1,
        "values in 400 dimensions",
        b'{"instances": [%s]}' % DEEP.replace(b"[]", b"[1]"),
        "not rectangular",
    ),
    _json("free", MLFLOW, "a split without columns", {"dataframe_split": {"columns": [], "data": [[]]}}, "no values"),
    _json(
        "free",
        MLFLOW,
        "a column twice",
        {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
        "more than once",
    ),
    _json("optional", V1, "rows without columns", {"instances": [{}]}, "expects some of"),
    _json(
        "optional", MLFLOW, "a split without columns", {"dataframe_split": {"columns": [], "data": [[]]}}, "some of"
    ),
    _json("cube", V1, "rows of other lengths", {"instances": [[[1, 2]], [[3], [4]]]}, "not rectangular"),
    _json("cube", V1, "an empty list in it", {"instances": [[[]]]}, "empty list"),
    _json(
        "pairs",
        V1,
        "values that would move to other rows",
        {"instances": [[1, 2], [3], [4, 5, 6]]},
        "not rectangular",
    ),
)
