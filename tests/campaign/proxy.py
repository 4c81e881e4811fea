"""The fault proxy: stands between an operator and a real apiserver, passes everything on, and does what a plan says.

It numbers each request and notes it on a tape, kills the operator at the write that the plan names, answers in the
apiserver's place, spoils watches, and lets the operator read the past. The operator knows nothing of it: to it, this
is the apiserver that its kubeconfig names.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import yaml
from aiohttp import web

from campaign import asked, faults
from campaign.lives import Lives, dropped
from campaign.proxy_run import Run
from campaign.tape import Tape
from campaign.travel import Past
from campaign.upstream import Upstream
from localcluster import pki

NOTHING = faults.Plan(name="nothing", workload="none")


class FaultProxy:
    """One proxy, for one operator at a time."""

    def __init__(self, upstream: Path, authority: pki.Authority, directory: Path, past: Past | None = None) -> None:
        """Take the operator's own kubeconfig, for use towards the apiserver; write one for it in `directory`."""
        self.kubeconfig = directory / "operator.kubeconfig"
        self._operator = upstream
        self._authority = authority
        self._past = past
        self._lives = Lives()
        self.died = self._lives.died
        """Set when the proxy has killed the operator and its process is gone; cleared at the next birth."""
        self._run = Run(NOTHING, self._lives, past)

    @property
    def tape(self) -> Tape:
        """What was heard in the current run."""
        return self._run.tape

    async def start(self) -> None:
        """Listen on a free loopback port, and write the kubeconfig that leads there."""
        self._upstream = Upstream(self._operator)
        self._server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._lives.watch(self._server)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*self._authority.issue("fault-proxy", "fault-proxy", hosts=("127.0.0.1", "localhost")))
        self._listener = await asyncio.get_running_loop().create_server(self._server, "127.0.0.1", 0, ssl=tls)
        port = self._listener.sockets[0].getsockname()[1]
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.write_text(_leading_to(port, self._operator, self._authority))

    async def stop(self) -> None:
        """Drop every connection, and listen no more."""
        self._lives.begin()
        self._listener.close()
        await self._server.shutdown(1.0)
        await self._upstream.close()

    def load(self, plan: faults.Plan, beginning: int = 0) -> None:
        """Begin a new run: with an empty tape, all counters at the start, and no operator born yet.

        `beginning` is the store's revision of that moment, for plans that lead back to it.
        """
        self._lives.begin()
        self._run = Run(plan, self._lives, self._past, beginning)

    def born(self, pid: int) -> None:
        """A new operator process begins; connections made since the end of the one before it have waited for this."""
        self._run.journeys.depart()
        self._lives.born(pid)

    def unfinished(self) -> list[faults.Fault]:
        """Return the faults that have hit nothing yet in this run."""
        return self._run.aims.unfinished()

    def watching(self) -> frozenset[str]:
        """Return the kinds of which a watch of the operator lives."""
        return self._run.watching()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        life = await self._lives.admit(request.protocol)
        body = await request.content.read()
        if life is None:
            return dropped(request)
        wanted = asked.read(request.method, request.path, request.query, body)
        treated = self._run.treat(request, body, wanted, life, self._upstream)
        if wanted.verb == "watch":
            return await treated  # ends with the operator's connection
        return await asyncio.shield(asyncio.ensure_future(treated))  # a write is in the world, whoever hung up


def _leading_to(port: int, operator: Path, authority: pki.Authority) -> str:
    config = yaml.safe_load(operator.read_text())
    for entry in config["clusters"]:
        entry["cluster"] = {
            "server": f"https://127.0.0.1:{port}",
            "certificate-authority": str(authority.certificate),
        }
    text: str = yaml.safe_dump(config, sort_keys=False)
    return text
