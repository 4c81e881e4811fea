"""The page for people: what the model takes and gives, and lines that work. Nothing in it comes from elsewhere."""

import base64
import hashlib
import html
import re
import shlex
from typing import Any
from urllib.parse import quote

from ferryman_server import __version__
from ferryman_server.oip import about
from ferryman_server.rest import example, message
from ferryman_server.rest.message import Response
from ferryman_server.serving import Serving

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?")

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:54rem;margin:2.5rem auto;padding:0 1.25rem}
h1{margin:0;font-size:1.9rem}h2{margin:2.2rem 0 .6rem;font-size:1.15rem}p{margin:.4rem 0}
.facts{color:#888;margin:.2rem 0 0}.facts b{color:#2a8a3e}
table{border-collapse:collapse;width:100%}
th,td{white-space:nowrap;text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line)}
th:last-child,td:last-child{width:100%;white-space:normal}
th{font-weight:600;color:#888;font-size:.85rem}
code,pre,textarea{font:13.5px/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
pre,textarea{background:var(--soft);border:1px solid var(--line);border-radius:6px;overflow:auto}
pre,textarea{padding:.7rem .9rem;margin:.4rem 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;position:relative}pre.line{padding-right:5.5rem}
textarea{width:100%;box-sizing:border-box;min-height:7rem}
button{font:inherit;font-size:.85rem;border:1px solid var(--line);border-radius:6px;background:Canvas}
button{padding:.15rem .7rem;cursor:pointer}pre button{position:absolute;top:.45rem;right:.45rem}
a{color:light-dark(#0b6bcb,#6cb2ff)}footer{margin:3rem 0 1rem;color:#888;font-size:.85rem}
"""
_SCRIPT = """
for (const pre of document.querySelectorAll('pre.line')) {
  const line = pre.textContent, copy = document.createElement('button');
  copy.textContent = 'copy';
  copy.onclick = () => navigator.clipboard.writeText(line).then(() => { copy.textContent = 'copied'; });
  pre.append(copy);
}
const [send, body, out] = ['send', 'body', 'out'].map(id => document.getElementById(id));
if (send) send.onclick = async () => {
  const began = performance.now(), headers = {'content-type': 'application/json'};
  const answer = await fetch(send.dataset.path, {method: 'POST', body: body.value, headers});
  const text = await answer.text();
  out.hidden = false;
  out.textContent = answer.status + ' in ' + (performance.now() - began).toFixed(1) + ' ms\\n' + text;
};
"""
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_HEADERS = (
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'; connect-src 'self'".encode(),
    ),
    (b"x-content-type-options", b"nosniff"),
)


def page(serving: Serving, headers: dict[bytes, bytes]) -> Response:
    """For a model that is loaded."""
    assert serving.plane is not None, "asked for before the model was there"
    model = serving.plane.model
    told = about.model(model, serving)
    bodies = example.bodies(serving)
    sections = [
        _title(serving, told),
        _table("Inputs", told["inputs"], "Any rows: the model does not say what it takes."),
        _table("Outputs", told["outputs"], "Known after the first prediction."),
        *(_asking(serving, bodies, _address(serving, headers)) if bodies else ()),
        _rest(serving),
    ]
    name = html.escape(serving.settings.model_name)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style>'
        f"{''.join(sections)}<script>{_SCRIPT}</script></html>\n"
    )
    return Response(200, text.encode(), b"text/html; charset=utf-8", _HEADERS)


def _address(serving: Serving, headers: dict[bytes, bytes]) -> str:
    """Where the reader came from, so that the lines work from there; a name that no host has is not repeated."""
    host = headers.get(b"host", b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        host = f"localhost:{serving.settings.port}"
    scheme = "https" if headers.get(b"x-forwarded-proto") == b"https" else "http"
    return f"{scheme}://{host}"


def _title(serving: Serving, told: dict[str, Any]) -> str:
    settings = serving.settings
    facts = [
        f"<b>{html.escape(serving.phase.value)}</b>",
        *([f"version {html.escape(settings.model_version)}"] if settings.model_version else []),
        *([f"revision {html.escape(settings.revision)}"] if settings.revision else []),
        html.escape(told["platform"]),
        *(html.escape(f"{name} {version}") for name, version in told["parameters"]["packages"].items()),
    ]
    return f"<h1>{html.escape(settings.model_name)}</h1><p class=facts>{' · '.join(facts)}</p>"


def _table(title: str, tensors: list[dict[str, Any]], otherwise: str) -> str:
    if not tensors:
        return f"<h2>{title}</h2><p>{otherwise}</p>"
    rows = []
    for one in tensors:
        parameters = one.get("parameters", {})
        shape = " × ".join("n" if size < 0 else str(size) for size in one["shape"])
        note = "optional" if parameters.get("optional") else ", ".join(parameters.get("columns", ()))
        cells = (f"<code>{html.escape(one['name'])}</code>", one["datatype"], shape, html.escape(note))
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<h2>{title}</h2><table><tr><th>name<th>type<th>shape<th></tr>{''.join(rows)}</table>"


def _asking(serving: Serving, bodies: example.Bodies, address: str) -> list[str]:
    name = quote(serving.settings.model_name)
    v1, v2 = f"/v1/models/{name}:predict", f"/v2/models/{name}/infer"
    rows = ",\n ".join(message.encode(row).decode() for row in bodies.v1["instances"])
    asked = f'{{"instances": [\n {rows}\n]}}'
    sections = [
        "<h2>Try it</h2>"
        f"<textarea id=body spellcheck=false>{html.escape(asked)}</textarea>"
        f'<button id=send data-path="{html.escape(v1)}">Send</button><pre id=out hidden></pre>',
        "<h2>KServe V1, TensorFlow Serving</h2>" + _line(address + v1, bodies.v1),
        "<h2>Open Inference Protocol V2</h2>" + _line(address + v2, bodies.v2),
        "<h2>MLflow</h2>" + _line(address + "/invocations", bodies.invocations),
    ]
    if bodies.csv:
        sections.append(_curl(address + "/invocations", bodies.csv, "text/csv"))
    if serving.settings.grpc_port:
        sections.append(
            f"<h2>gRPC</h2><p>The same protocol V2, <code>inference.GRPCInferenceService</code>, on port "
            f"{serving.settings.grpc_port}, for KServe's and Triton's clients.</p>"
        )
    return sections


def _line(url: str, body: dict[str, Any]) -> str:
    return _curl(url, message.encode(body).decode(), "application/json")


def _curl(url: str, body: str, media_type: str) -> str:
    line = f"curl -s {shlex.quote(url)} \\\n  -H 'content-type: {media_type}' \\\n  -d {shlex.quote(body)}"
    return f"<pre class=line>{html.escape(line)}</pre>"


def _rest(serving: Serving) -> str:
    name = quote(serving.settings.model_name)
    links = {
        "/openapi.json": "OpenAPI document",
        f"/v2/models/{name}": "metadata",
        f"/v1/models/{name}/metadata": "signature",
        "/readyz": "readiness",
        "/metrics": "metrics",
    }
    told = " · ".join(f'<a href="{path}">{words}</a>' for path, words in links.items())
    return f"<h2>More</h2><p>{told}</p><footer>Ferryman {__version__}</footer>"
