"""Subclasses of `kserve.Model` as KServe's documentation writes them: the text of their files."""

IRIS = """
import argparse
from pathlib import Path
from typing import Dict

import joblib
import kserve
from kserve import Model, ModelServer, model_server


class Iris(kserve.Model):
    def __init__(self, name: str):
        super().__init__(name)
        self.model = None
        self.load()

    def load(self):
        self.model = joblib.load(Path(__file__).parent / "model.joblib")
        self.ready = True
        return self.ready

    def predict(self, payload: Dict, headers: Dict[str, str] = None) -> Dict:
        result = self.model.predict(payload["instances"])
        return {"predictions": result.tolist()}


parser = argparse.ArgumentParser(parents=[model_server.parser])
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    ModelServer().start([Iris(args.model_name)])
"""

DOUBLING = """
from typing import Dict, List, Union

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model
from kserve.errors import InvalidInput


class Doubling(Model):
    def load(self) -> bool:
        self.ready = True
        return True

    def get_input_types(self) -> List[Dict]:
        return [
            {"name": "numbers", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "word", "datatype": "BYTES", "shape": [-1]},
        ]

    def get_output_types(self) -> List[Dict]:
        return [{"name": "doubled", "datatype": "FP32", "shape": [-1, 2]}]

    def predict(self, payload: Union[Dict, InferRequest], headers: Dict[str, str] = None) -> InferResponse:
        if isinstance(payload, dict):
            [row] = payload["instances"]
            if min(row["numbers"]) < 0:
                raise InvalidInput("no number may be negative")
            doubled = [2 * number for number in row["numbers"]]
            return {"predictions": [{"doubled": doubled, "shouted": row["word"].upper()}]}
        numbers = payload.get_input_by_name("numbers").as_numpy()
        assert numbers.dtype == np.float32
        if (numbers < 0).any():
            raise InvalidInput("no number may be negative")
        loud = np.array([word.upper().encode() for word in payload.get_input_by_name("word").data], dtype=object)
        doubled = InferOutput("doubled", list(numbers.shape), "FP32")
        doubled.set_data_from_numpy(numbers * 2)
        shouted = InferOutput("shouted", list(loud.shape), "BYTES")
        shouted.set_data_from_numpy(loud)
        return InferResponse(response_id="1", model_name=self.name, infer_outputs=[doubled, shouted])
"""

PICTURES = '''
import asyncio
import base64

from kserve import Model as Base


class Reader(Base):
    """The part that both have; nobody serves it."""

    async def preprocess(self, payload, headers=None):
        await asyncio.sleep(0)
        return [base64.b64decode(one["image"]["b64"]) for one in payload["instances"]]


class Pictures(Reader):
    def load(self):
        self.lock = asyncio.Lock()
        self.ready = True

    async def predict(self, payload, headers=None):
        async with self.lock:
            await asyncio.sleep(0.001)
        return [len(picture) for picture in payload]

    async def postprocess(self, result, headers=None, response_headers=None):
        return {"predictions": [{"bytes": size, "tags": ["a"] * size} for size in result]}
'''

SLOW = """
import time
from typing import Dict

from kserve import Model


class Slow(Model):
    def preprocess(self, payload, headers: Dict[str, str] = None):
        time.sleep(0.02)
        return payload

    def predict(self, payload: Dict, headers: Dict[str, str] = None) -> Dict:
        time.sleep(max(seconds for [seconds] in payload["instances"]))
        return {"predictions": payload["instances"]}
"""

TEXT = """
from typing import Dict

from kserve import Model


class Length(Model):
    def predict(self, payload: Dict, headers: Dict[str, str] = None) -> Dict:
        return {"predictions": [{"text": text, "length": len(text)} for text in payload["instances"]]}
"""

QUESTIONS = """
from kserve import Model


class Questions(Model):
    async def preprocess(self, payload, headers=None):
        return payload["question"]["words"]

    def predict(self, payload, headers=None):
        return {"answer": len(payload)}
"""

ECHO = '''
import asyncio
import json

from kserve import InferOutput, InferRequest, InferResponse, Model


class Echo(Model):
    """Tells what it was given; its annotations mean nothing."""

    def __init__(self, name: str):
        super().__init__(name, return_response_headers=True)

    async def preprocess(self, payload: str, headers=None):
        await asyncio.sleep(0)
        return [payload]

    def predict(self, payload: bool, headers=None, response_headers=None):
        [given] = payload
        response_headers["x-echo"] = "yes"
        kept = ("x-request-id", "x-tenant", "content-type", "x-bytes-bin")
        heard = {name: str(headers[name]) for name in kept if name in headers}
        if not isinstance(given, InferRequest):
            return {"predictions": [{"type": type(given).__name__, "given": str(given), "headers": heard}]}
        seen = {
            "id": given.id,
            "model": given.model_name,
            "version": given.model_version,
            "grpc": given.from_grpc,
            "headers": heard,
            "parameters": str(given.parameters),
            "inputs": [
                [one.name, one.datatype, list(one.shape), str(one.as_numpy().tolist())] for one in given.inputs
            ],
            "outputs": [one.name for one in given.request_outputs or []],
        }
        outputs = [
            InferOutput("seen", [1], "BYTES", [json.dumps(seen)]),
            InferOutput("sizes", [2], "FP32", [1.5, 2.5]),
        ]
        return InferResponse(
            given.id or "none",
            given.model_name,
            outputs,
            use_binary_outputs=given.use_binary_outputs,
            requested_outputs=given.request_outputs,
        )

    async def postprocess(self, result, headers=None, response_headers=None):
        response_headers["x-later"] = "too"
        return result
'''

CHOOSY = '''
from starlette.exceptions import HTTPException

from kserve import Model
from kserve.errors import InvalidInput


class Choosy(Model):
    """Takes one kind of question."""

    def predict(self, payload, headers=None):
        match payload["instances"][0]:
            case "status":
                raise HTTPException(429, "not so often")
            case int() as status:
                raise HTTPException(status, "so it says")
            case "later":
                raise NotImplementedError("not yet")
            case "wrong":
                raise InvalidInput("no such word")
            case "lost":
                self.ready = False
            case "stream":
                return self.words()
            case "text":
                return "plain words"
            case "bug":
                raise LookupError("its own fault")
        return {"predictions": [None, float("nan"), 1]}

    async def words(self):
        yield "one"
'''
