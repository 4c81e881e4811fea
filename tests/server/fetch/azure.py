"""The little of Azure's Blob Storage that a download asks for; its emulator is a program for Node.

https://learn.microsoft.com/rest/api/storageservices/list-blobs and .../get-blob
"""

import http.server
import urllib.parse
from xml.sax.saxutils import escape

TYPE = "BlockBlob"


class Blobs(http.server.BaseHTTPRequestHandler):
    """What Azure's client asks of a container: its blobs below a prefix, and their bytes."""

    held: dict[str, bytes]
    refuses = False

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query, blob = urllib.parse.parse_qs(parts.query), urllib.parse.unquote(parts.path).split("/", 3)[3:]
        if self.refuses:
            self._answer(403, b"", {"x-ms-error-code": "AuthorizationFailure"})
        elif query.get("comp") == ["list"]:
            self._answer(200, self._listing(query["prefix"][0]).encode(), {"Content-Type": "application/xml"})
        else:
            content = self.held[blob[0]]
            whole = f"bytes 0-{len(content) - 1}/{len(content)}"
            self._answer(206, content, {"Content-Range": whole, "ETag": '"1"', "x-ms-blob-type": TYPE})

    def _listing(self, prefix: str) -> str:
        below = {name.removeprefix(prefix): len(body) for name, body in self.held.items() if name.startswith(prefix)}
        folders = {name.partition("/")[0] for name in below if "/" in name}
        listed = [
            f"<Blob><Name>{escape(prefix + name)}</Name>"
            f"<Properties><Content-Length>{size}</Content-Length><BlobType>{TYPE}</BlobType></Properties></Blob>"
            for name, size in below.items()
            if "/" not in name
        ]
        listed += [f"<BlobPrefix><Name>{escape(prefix + name)}/</Name></BlobPrefix>" for name in folders]
        return f"<EnumerationResults><Blobs>{''.join(listed)}</Blobs><NextMarker/></EnumerationResults>"

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""
