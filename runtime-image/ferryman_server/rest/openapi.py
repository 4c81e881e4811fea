"""The OpenAPI document of the model that is served: its paths, what each takes, and an example that works."""

from typing import Any
from urllib.parse import quote

from ferryman_server import __version__
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Tensor
from ferryman_server.rest import example, shapes
from ferryman_server.rest.shapes import Json
from ferryman_server.serving import Serving

_REFUSALS = {
    "400": "The input does not fit; the sentence names which, what was expected and what came.",
    "408": "The request stopped in the middle for a minute.",
    "413": "The body, or the number of its rows, is larger than this server takes.",
    "415": "The content type, or the compression, is none that this path takes.",
    "500": "The model failed on input that fits; the log has the cause under the request id.",
    "503": "Loading, warming up, or too much waits, or for too long; come back after `Retry-After` seconds.",
    "504": "The deadline that Envoy sent along has passed.",
}
_ERROR: Json = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "minLength": 1},
        "request_id": {"type": "string"},
        "error_code": {"type": "string", "description": "MLflow's word for it, where MLflow's clients ask"},
        "message": {"type": "string", "description": "The same as `error`, for them"},
    },
    "required": ["error"],
}


def document(serving: Serving) -> Json:
    """For a model that is loaded."""
    assert serving.plane is not None, "asked for before the model was there"
    model, settings = serving.plane.model, serving.settings
    bodies = example.bodies(serving)
    name = quote(settings.model_name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.model_name,
            "version": settings.model_version or settings.revision or "0",
            "description": f'Model "{settings.model_name}" ({model.platform}), served by Ferryman {__version__}.',
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in ("predict", "about", "probes")],
        "paths": {
            f"/v1/models/{name}:predict": _post(
                "predictV1",
                "KServe V1 and TensorFlow Serving: rows, or columns",
                {"application/json": _content("V1Request", bodies.v1 if bodies else None)},
                "V1Response",
            ),
            f"/v2/models/{name}/infer": _post(
                "inferV2",
                "Open Inference Protocol V2: typed tensors",
                {"application/json": _content("V2Request", bodies.v2 if bodies else None)},
                "V2Response",
                # where bytes were asked for: JSON, as long as Inference-Header-Content-Length says, and the values
                {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            ),
            "/invocations": _post(
                "invocations",
                "MLflow: tables and tensors, or CSV",
                {
                    "application/json": _content("Invocation", bodies.invocations if bodies else None),
                    **_csv(bodies),
                },
                "Predictions",
            ),
            **_reads(name),
        },
        "components": {"schemas": _schemas(model.schema, model.outputs)},
    }


def _csv(bodies: example.Bodies | None) -> Json:
    if not bodies or not bodies.csv:
        return {}
    return {"text/csv": {"schema": {"type": "string"}, "example": bodies.csv}}


def _post(operation: str, summary: str, content: Json, answer: str, besides: Json | None = None) -> Json:
    refusals = {code: _answer(words, "Error") for code, words in _REFUSALS.items()}
    answered = _answer("The predictions, in the order of the rows.", answer)
    answered["content"] |= besides or {}
    return {
        "post": {
            "operationId": operation,
            "tags": ["predict"],
            "summary": summary,
            "requestBody": {"required": True, "content": content},
            "responses": {"200": answered, **refusals},
        }
    }


def _answer(words: str, schema: str) -> Json:
    return {"description": words, "content": {"application/json": {"schema": _ref(schema)}}}


def _content(schema: str, body: Json | None) -> Json:
    return {"schema": _ref(schema), **({"example": body} if body else {})}


def _ref(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _reads(name: str) -> Json:
    about = {
        f"/v1/models/{name}": "Status, for KServe's clients and TensorFlow Serving's",
        f"/v1/models/{name}/metadata": "The signature, as TensorFlow Serving tells it",
        f"/v2/models/{name}": "Inputs, outputs, and which bytes are served",
        "/v2": "The server and its extensions",
        "/version": "The server's version",
    }
    probes = {
        f"/v2/models/{name}/ready": "Whether the model takes traffic",
        "/v2/health/live": "Whether the process lives",
        "/v2/health/ready": "Whether the server takes traffic",
        "/healthz": "Whether the process lives",
        "/readyz": "Whether the server takes traffic",
        "/ping": "Whether the server takes traffic, as MLflow asks",
    }
    return {
        path: {
            "get": {
                "operationId": "get" + "".join(part.capitalize() for part in path.replace(name, "model").split("/")),
                "tags": [tag],
                "summary": summary,
                "responses": {
                    "200": {
                        "description": "So it is.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    "503": _answer("Not yet, or not any more.", "Told"),
                },
            }
        }
        for tag, paths in (("about", about), ("probes", probes))
        for path, summary in paths.items()
    }


def _schemas(schema: Any, outputs: tuple[Tensor, ...]) -> Json:
    rows, whole = _ref("Rows"), {"anyOf": [_ref("Columns"), _ref("Rows")]}
    signature = {"type": ["string", "null"], "enum": ["", "serving_default", None]}
    table = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array"}},
        },
        "required": ["data"],
    }
    return {
        "Rows": shapes.rows(schema),
        "Columns": shapes.columns(schema),
        "V1Request": {"anyOf": [_body("instances", rows, signature), _body("inputs", whole, signature)]},
        "V1Response": {"anyOf": [_ref("Predictions"), _body("outputs", {})]},
        "Predictions": _body("predictions", {"type": "array", "items": shapes.prediction(outputs)}),
        "Invocation": {
            "anyOf": [
                _body("dataframe_split", table),
                _body("dataframe_records", rows),
                _body("instances", rows),
                _body("inputs", whole),
            ]
        },
        "Tensor": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "datatype": {"type": "string", "enum": [kind.value for kind in Kind]},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "data": {"type": "array"},
                "parameters": {"type": "object"},
            },
            "required": ["name", "datatype", "shape", "data"],
        },
        "V2Request": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "inputs": {"type": "array", "items": _ref("Tensor"), "minItems": 1},
                "outputs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string", "enum": [one.name for one in outputs]}}
                        if outputs
                        else {"name": {"type": "string"}},
                        "required": ["name"],
                    },
                },
                "parameters": {"type": "object"},
            },
            "required": ["inputs"],
        },
        "V2Response": {
            "type": "object",
            "properties": {
                "model_name": {"type": "string"},
                "model_version": {"type": "string"},
                "id": {"type": "string"},
                "outputs": {"type": "array", "items": _ref("Tensor")},
            },
            "required": ["model_name", "outputs"],
        },
        "Told": {"type": "object"},
        "Error": _ERROR,
    }


def _body(key: str, value: Json, signature: Json | None = None) -> Json:
    properties = {key: value, **({"signature_name": signature} if signature else {})}
    return {"type": "object", "properties": properties, "required": [key]}
