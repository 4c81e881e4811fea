"""The few answers of MLflow's REST API that matter to the operator, from a server that can be told to be odd."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

MISSING = "RESOURCE_DOES_NOT_EXIST"
LOGGED = "m-" + "0" * 32
"""The id of a model that was logged and never registered."""


class Mlflow:
    """A registry with one model, `fraud`, whose version 7 is the champion."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.champion = "7"
        self.store = "s3://mlflow"
        self.odd: dict[str, object] = {}
        """What its records say beside, or instead."""
        self.down = False
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.asked.append(path)
        if self.down:
            return 500, {"error_code": "INTERNAL_ERROR", "message": "the database is away"}
        if "/logged-models/" in path:
            known = path.endswith(LOGGED)
            info = {
                "model_id": LOGGED,
                "artifact_uri": "s3://mlflow/logged",
                "source_run_id": "r2",
                "experiment_id": "1",
            }
            missing = {"error_code": MISSING, "message": "Logged model not found"}
            return (200, {"model": {"info": info, "data": {}}}) if known else (404, missing)
        if query["name"] != "fraud":
            return 404, {"error_code": MISSING, "message": f"Registered Model with name={query['name']} not found"}
        match path.rsplit("2.0/mlflow/", 1)[-1]:
            case "registered-models/get":
                return 200, {"registered_model": {"name": "fraud"}}
            case "registered-models/alias" if query["alias"] == "champion":
                return 200, {"model_version": self._version(self.champion)}
            case "registered-models/alias":
                message = f"Registered model alias {query['alias']} not found."
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": message}
            case "model-versions/get" if query["version"] == "7":
                return 200, {"model_version": self._version("7")}
            case _:
                return 404, {"error_code": MISSING, "message": "Model Version not found"}

    def _version(self, version: str) -> dict[str, object]:
        said = {"name": "fraud", "version": version, "source": f"{self.store}/{version}", "run_id": "r1"}
        return {**said, **self.odd}

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        world = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                status, body = world.answer(parts.path, dict(urllib.parse.parse_qsl(parts.query)))
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        return Handler
