"""The internal port on which samples are read: the pod's own address, and no Service's.

Where several processes serve a pod, each keeps what it answered. They share the port, and whoever is asked asks the
others, over sockets that have names but no files; so the answer is the pod's.
"""

import asyncio
import contextlib
import os
import socket
import urllib.parse
from pathlib import Path

import msgspec
import uvicorn
from uvicorn.server import ServerState

from ferryman_server import listen
from ferryman_server.rest import http1, message
from ferryman_server.rest.message import Receive, Response, Scope, Send
from ferryman_server.sampling.ring import Ring
from ferryman_server.settings import Settings

PATH = "/samples"
_SOCKETS = Path("/proc/net/unix")
_PATIENCE = 1.0
"""Seconds for which another process is waited for: it may be about to end."""


class Share(msgspec.Struct):
    """What one process has kept."""

    kept: int
    samples: list[tuple[float, msgspec.Raw]]


class Port:
    """Until it is closed. `family` is the same in the processes of one pod; empty where there is one."""

    def __init__(self, settings: Settings, ring: Ring, family: str) -> None:
        self._settings = settings
        self._ring = ring
        self._prefix = f"ferryman-samples-{family}-{settings.sample_port}-" if family else ""
        self._name = f"{self._prefix}{os.getpid()}"
        self._doors: list[asyncio.Server] = []

    async def open(self) -> None:
        """Listen; `FatalError` if the port is taken."""
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(
            self, loop="none", lifespan="off", interface="asgi3", access_log=False, log_config=None
        )
        config.load()
        state = ServerState()
        self._doors.append(
            await loop.create_server(
                lambda: http1.Protocol(config=config, server_state=state, app_state={}),
                sock=listen.samples(self._settings, together=bool(self._prefix)),
            )
        )
        if self._prefix:
            unnamed = socket.socket(socket.AF_UNIX)
            unnamed.bind(f"\0{self._name}")
            self._doors.append(await asyncio.start_unix_server(self._tell, sock=unnamed))

    async def close(self) -> None:
        """Tell nothing any more."""
        for door in self._doors:
            door.close()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """ASGI's own entrance."""
        response = await self._answer(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        headers = [(b"content-type", response.content_type), (b"content-length", b"%d" % len(response.body))]
        await send(
            {"type": "http.response.start", "status": response.status, "headers": [*headers, *response.headers]}
        )
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, method: str, path: str, query: str) -> Response:
        if path != PATH:
            return message.error(404, f"Samples are at {PATH}.")
        if method not in {"GET", "HEAD"}:
            return message.error(405, f"{method} is not for {path}; use GET.", (b"allow", b"GET"))
        given = dict(urllib.parse.parse_qsl(query)).get("since", "0")
        try:
            since = float(given)
        except ValueError:
            return message.error(400, '"since" must be a time in seconds.')
        shares = [self._share(since), *await asyncio.gather(*(self._asked(name, since) for name in self._others()))]
        entries = sorted((entry for share in shares for entry in share.samples), key=lambda entry: entry[0])
        return message.answer(
            {
                "model": self._settings.model_name,
                "version": self._settings.model_version,
                "revision": self._settings.revision,
                "percent": self._settings.sample_percent,
                "kept": sum(share.kept for share in shares),
                "samples": [entry for _, entry in entries],
            }
        )

    def _share(self, since: float) -> Share:
        return Share(self._ring.kept, [(time, msgspec.Raw(entry)) for time, entry in self._ring.since(since)])

    # --- the others ---

    def _others(self) -> list[str]:
        if not self._prefix:
            return []
        names = (
            line.rpartition(" @")[2] for line in _SOCKETS.read_text(encoding="utf-8", errors="replace").splitlines()
        )
        return sorted({name for name in names if name.startswith(self._prefix)} - {self._name})

    async def _asked(self, name: str, since: float) -> Share:
        with contextlib.suppress(OSError, TimeoutError, msgspec.DecodeError):
            async with asyncio.timeout(_PATIENCE):
                with socket.socket(socket.AF_UNIX) as line:
                    line.setblocking(False)
                    loop = asyncio.get_running_loop()
                    await loop.sock_connect(line, f"\0{name}")
                    await loop.sock_sendall(line, b"%r\n" % since)
                    parts = []
                    while part := await loop.sock_recv(line, 1 << 16):
                        parts.append(part)
                    return msgspec.json.decode(b"".join(parts), type=Share)
        return Share(0, [])

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            writer.write(msgspec.json.encode(self._share(float(await reader.readline()))))
            await writer.drain()
        writer.close()
