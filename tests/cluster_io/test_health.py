"""What the kubelet is told."""

from __future__ import annotations

import httpx

from ferryman import health
from localcluster import controlplane


async def test_the_kubelet_hears_that_all_is_well_or_what_is_wrong() -> None:
    [port] = controlplane.free_ports(1)
    wrong: list[str] = []

    async with (
        health.serving(port, lambda: wrong[0] if wrong else None),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as kubelet,
    ):
        well = await kubelet.get("/healthz")
        wrong.append("the watch of pods is gone")
        ill = await kubelet.get("/healthz")

    assert (well.status_code, well.text) == (200, "ok\n")
    assert (ill.status_code, ill.text) == (503, "the watch of pods is gone\n")
