"""Web servers on loopback: one that misbehaves at a few paths, and one that breaks off."""

import contextlib
import http.server
import threading
from collections.abc import Iterator


class Shop(http.server.SimpleHTTPRequestHandler):
    """Serves a directory, and misbehaves at a few paths."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/forbidden.onnx":
                self.send_error(403)
            case "/broken.onnx":
                self.send_error(500)
            case "/short.onnx":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"only this")
            case "/empty.onnx":
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                super().do_GET()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class Cutting(http.server.BaseHTTPRequestHandler):
    """Serves a file of 1 MB and breaks off after 300 kB of each answer."""

    body = bytes(range(250)) * 4000
    marks: tuple[str, ...] = ('"one"',)
    """The file's ETag at each request in turn; the last one stays. A file with another one has other bytes."""
    asked: list[str]

    def do_GET(self) -> None:
        mark = self.marks[min(len(self.asked), len(self.marks) - 1)]
        body = self.body if mark in {self.marks[0], ""} else self.body[::-1]
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.headers["If-Range"] == mark else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        if mark:
            self.send_header("ETag", mark)
        self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        self.wfile.write(body[begin : begin + 300_000])

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def cutting(*marks: str) -> Iterator[tuple[str, type[Cutting]]]:
    kind = type("Cutting", (Cutting,), {"marks": marks, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/model.onnx", kind
    server.shutdown()
    server.server_close()
