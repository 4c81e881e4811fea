"""Bugs planted on purpose, to see that the campaign finds them: a net that catches nothing may have holes.

Each is a mistake that operators are known for, made in a copy of the operator by changing a line of it. A campaign of
one class of plans has to fail because of it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from campaign.warm import ROOT

SOUND = ROOT / "operator"
"""Where the operator is that has none."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake, and who is to find it."""

    name: str
    what: str
    kind: str
    """The class of plans that finds it."""
    workload: str
    only: str
    """The plans of it that are lived."""
    changes: tuple[tuple[str, str, str], ...]
    """File below `operator/ferryman`, what stands there, and what is put in its place."""


BUGS = (
    Bug(
        "half-made",
        "takes a Deployment that is there for a sign that its autoscaler was made, too",
        "crash",
        "create",
        "*deployments*",
        (
            (
                "cluster/apply.py",
                "        if refused is not None and _routes(rendered):\n",
                "        if child is None and rendered['kind'] == 'HorizontalPodAutoscaler' and (\n"
                "            'Deployment', rendered['metadata']['name']\n        ) in live:\n            continue\n"
                "        if refused is not None and _routes(rendered):\n",
            ),
        ),
    ),
    Bug(
        "edge-triggered",
        "believes that every event arrives",
        "unobserved",
        "promote",
        "*modeldeployments*",
        (
            ("acting.py", "                    queue.add(Key(metadata", "                    dict(at=Key(metadata"),
            ("cluster/sweep.py", "            if now == before:\n", "            if True:\n"),
        ),
    ),
    Bug(
        "unguarded",
        "writes onto whatever version stands, whether its record was taken or not: the past becomes the present",
        "stale",
        "promote",
        "*",
        (
            (
                "cluster/apply.py",
                '        marked["resourceVersion"] = standing["metadata"]["resourceVersion"]\n',
                "",
            ),
            (
                "look.py",
                "        except errors.NotFound as error:\n",
                "        except errors.Conflict:\n            pass\n        except errors.NotFound as error:\n",
            ),
        ),
    ),
    Bug(
        "empty-list",
        "takes a list that it could not read for an empty one",
        "errors",
        "promote",
        "*40[34]*",
        (
            (
                "cluster/client.py",
                '        answer = await self._request("list", kind, "GET", namespace, query=query)\n        return [',
                "        try:\n"
                '            answer = await self._request("list", kind, "GET", namespace, query=query)\n'
                "        except (errors.NotFound, errors.Forbidden):\n"
                "            return []\n"
                "        return [",
            ),
        ),
    ),
    Bug(
        "blind",
        "does not look at what others changed in its children",
        "chaos",
        "rest",
        "*ConfigDrift*",
        (("cluster/drift.py", '    return _says(rendered, live, "")', "    return True"),),
    ),
    Bug(
        "stubborn-floor",
        "gives every autoscaler the floor of a default",
        "chains",
        "chain",
        "*",
        (("render/hpa.py", '"minReplicas": least', '"minReplicas": 1'),),
    ),
)


def planted(bug: Bug, directory: Path) -> Path:
    """Return a folder with the operator that has the bug."""
    copy = directory / "operator"
    shutil.copytree(SOUND, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, stands, instead in bug.changes:
        file = copy / "ferryman" / name
        text = file.read_text()
        if stands not in text:
            raise LookupError(f"{bug.name}: {name} has no line {stands!r} any more; plant the bug elsewhere")
        file.write_text(text.replace(stands, instead, 1))
    return copy
