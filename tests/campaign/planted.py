"""Bugs planted on purpose, to see that the campaign finds them: a net that catches nothing may have holes.

Each is a mistake that operators are known for, made in a copy of the operator by changing a line of it. A campaign of
one class of plans has to fail because of it, by the word of the oracle that is there for such a mistake.
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
    oracle: str
    """Who has to complain; that another one does as well proves nothing of this one."""
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
        "i2_end_state",
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
        "leaves-behind",
        "takes away what is not needed any more only in the look that took it out of use",
        "crash-twice",
        "i2_end_state",
        "promote",
        "*/1[678]-delete-*-before-then-1-*",
        (("cluster/apply.py", "    for child in surplus:\n", "    for child in surplus if writes else ():\n"),),
    ),
    Bug(
        "edge-triggered",
        "believes that every event arrives",
        "unobserved",
        "i2_end_state",
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
        "i9_no_unrequested_transition",
        "promote",
        "*-back-*",
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
        "i2_end_state",
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
        "i2_end_state",
        "rest",
        "*ConfigDrift*",
        (("cluster/drift.py", '    return _says(rendered, live, "")', "    return True"),),
    ),
    Bug(
        "stubborn-floor",
        "gives every autoscaler the floor of a default",
        "chains",
        "chain",
        "chain",
        "*/[1-9]",
        (("render/hpa.py", '"minReplicas": least', '"minReplicas": 1'),),
    ),
    Bug(
        "half-deaf-spec",
        "never hears how many requests are to warm a model up: two of its runs are alike in that",
        "chains",
        "chain",
        "chain",
        "*/[1-9]",
        (("render/environment.py", "str(server.warmup.requests)", '"5"'),),
    ),
    Bug(
        "hasty-start",
        "takes pods that it has not heard of yet for pods that there are not, so a restart sets traffic back",
        "crash",
        "i9_no_unrequested_transition",
        "canary",
        "*virtualservices*",
        (
            (
                "reconcile.py",
                "        if _room_matters(spec, standing):\n",
                "        if key not in self.failing.worded:\n"
                "            self.failing.worded[key] = self.now()\n"
                "            none = {name: replace(each, available=0) for name, each in observed.backends.items()}\n"
                "            observed = replace(observed, backends=none)\n"
                "        if _room_matters(spec, standing):\n",
            ),
            ("look.py", "        self.worded.pop(key, None)\n", ""),
        ),
    ),
    Bug(
        "gives-up",
        "takes the second refusal in a row for the last word",
        "storms",
        "i2_end_state",
        "canary",
        "*-denied",
        (
            (
                "cluster/queue.py",
                "        rest = min(asked, LONGEST_REST)\n",
                "        rest = 3600.0 if self._failures[key] > 1 else min(asked, LONGEST_REST)\n",
            ),
        ),
    ),
    Bug(
        "too-patient",
        "waits for more than a minute after each conflict at a child, whoever asks meanwhile",
        "storms",
        "i4_bounded",
        "create",
        "*/conflicts",
        (
            (
                "cluster/queue.py",
                "        rest = min(asked, LONGEST_REST)\n",
                "        child = isinstance(error, errors.Conflict) and error.kind != 'ModelDeployment'\n"
                "        rest = 75.0 if child else min(asked, LONGEST_REST)\n",
            ),
        ),
    ),
    Bug(
        "deaf",
        "trusts a connection that says nothing for as long as it stays open",
        "unobserved",
        "i11_not_deaf",
        "promote",
        "*freeze-*",
        (("handlers.py", "watching.inactivity_timeout = 70", "watching.inactivity_timeout = 7000"),),
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
