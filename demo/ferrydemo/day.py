"""The day of a user, station by station, in the order in which the documentation tells it.

While it goes on, a prober asks the model for predictions through Envoy; a station holds only if no request of its
time failed and the measured split is the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from ferrydemo import measure, patience, stage
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment, condition, is_ready, revision, share
from ferrydemo.stage import Registered
from ferrydemo.walk import ACT_SECONDS, HOST, START_SECONDS, Walk

DEADLINE_SECONDS = 25
"""What the demo's spec gives a candidate that cannot load."""


class Day(Walk):
    """A walk through the stations."""

    def __init__(self, kube: Kube, registered: Registered, console: Console, record: Path, clock: float) -> None:
        super().__init__(ModelDeployment(kube, "demo", "fraud"), registered, console, record, clock)
        self._first, self._better, self._broken, self._challenger = registered.versions

    def stations_in_order(self) -> tuple[Callable[[], None], ...]:
        """Return the stations, as the documentation tells them."""
        return (
            self.first_model,
            self.canary,
            self.half,
            self.promotion,
            self.broken,
            self.shadow,
            self.live,
            self.withdrawn,
            self.reverted,
            self.planned,
            self.undone,
            self.released,
        )

    def first_model(self) -> None:
        """Apply a manifest, and predict."""
        with self._station("v1 serves") as scene:
            scene.type(f"kubectl -n demo apply -f {_shown(stage.HERE / 'manifests' / 'fraud.yaml')}")
            status = scene.wait("v1 serves", is_ready, START_SECONDS)
            self._meet(status, "stable")
            patience.until("the first prediction through the gateway", self._predicts, ACT_SECONDS)
            self._prober.__enter__()
            scene.typed_at = self._prober.mark()
            scene.say(f"a client asks {HOST} for 50 predictions a second from now on")
            scene.split(self._prober, self._names, {self._role(status, "stable"): 100}, 6)
            scene.show()

    def canary(self) -> None:
        """Point at v2: it starts, warms up, and takes 10 %."""
        change = {"model": {"uri": self._better.uri}, "rollout": {"canary": {"trafficPercent": 10}}}
        self._weigh("v2 takes 10 %", change, 10, START_SECONDS, 12)

    def half(self) -> None:
        """Move the number."""
        self._weigh("v2 takes 50 %", {"rollout": {"canary": {"trafficPercent": 50}}}, 50, ACT_SECONDS, 8)

    def promotion(self) -> None:
        """Give everything to v2, and see that its pods are the ones that were there before."""
        with self._station("100 promotes v2") as scene:
            promoted = revision(self.deployment.status(), "candidate")
            before = self.deployment.pods(promoted)
            scene.type(self.deployment.patch_command({"rollout": {"canary": {"trafficPercent": 100}}}))
            status = scene.wait(
                "v2 is stable",
                lambda said: revision(said, "stable") == promoted and is_ready(said),
                START_SECONDS,
            )
            scene.split(self._prober, self._names, {self._role(status, "stable"): 100}, 6)
            after = self.deployment.pods(promoted)
            pods = ", ".join(f"{pod.name} ({pod.restarts} restarts)" for pod in before)
            scene.claim(bool(before) and set(before) <= set(after), f"the same pods serve as before: {pods}")
            scene.show()

    def broken(self) -> None:
        """Point at v3, which cannot load: it is rolled back, and the status says why."""
        with self._station("v3 cannot load") as scene:
            stable = revision(self.deployment.status(), "stable")
            change = {
                "model": {"uri": self._broken.uri},
                "rollout": {"canary": {"trafficPercent": 10}, "deadlineSeconds": DEADLINE_SECONDS},
            }
            scene.type(self.deployment.patch_command(change))
            status = scene.wait("v3 is rejected", lambda said: said.get("rejected"), DEADLINE_SECONDS + START_SECONDS)
            rejected = status["rejected"]
            scene.claim(rejected["reason"] == "LoadFailed", f"{rejected['reason']}: {rejected['message']}")
            scene.split(self._prober, self._names, {stable: 100}, 4)
            scene.show("-o wide")

    def shadow(self) -> None:
        """Mirror every request to v4; clients see nothing of it."""
        with self._station("v4 shadows") as scene:
            stable = revision(self.deployment.status(), "stable")
            change = {
                "model": {"uri": self._challenger.uri},
                "rollout": {
                    "canary": {"trafficPercent": 0},
                    "shadow": {"percent": 100},
                    "deadlineSeconds": 600,
                },
            }
            scene.type(self.deployment.patch_command(change))
            status = scene.wait(
                "v4 shadows",
                lambda said: said.get("phase") == "Shadowing" and share(said, "shadow") == 100,
                START_SECONDS,
            )
            shadow = self._meet(status, "candidate")
            arrived = measure.predictions(self.deployment, shadow)
            patience.until(
                "copies to reach v4",
                lambda: measure.predictions(self.deployment, shadow) > arrived,
                ACT_SECONDS,
            )
            mirrored = measure.mirrored(self.deployment, self._prober, shadow, 8)
            scene.station.asked = "100 + 100"
            scene.station.measured = f"{mirrored.window.share(stable):.1f} + {mirrored.percent:.1f}"
            scene.claim(
                measure.mirror_fits(mirrored, 100),
                f"asked for a copy of 100%, measured {mirrored.percent:.1f}%: {mirrored}",
            )
            scene.claim(
                measure.fits(mirrored.window, {stable: 100}) and not mirrored.window.failures,
                f"every answer came from v2, {len(mirrored.window.failures)} failed",
            )
            scene.show()

    def live(self) -> None:
        """Turn the shadow into a canary."""
        self._weigh("v4 takes 20 %", {"rollout": {"canary": {"trafficPercent": 20}}}, 20, ACT_SECONDS, 6)

    def withdrawn(self) -> None:
        """Take the number back to 0: rolled back before a client notices."""
        with self._station("0 rolls v4 back") as scene:
            status = self.deployment.status()
            stable, withdrawn = revision(status, "stable"), revision(status, "candidate")
            scene.type(self.deployment.patch_command({"rollout": {"canary": {"trafficPercent": 0}}}))
            scene.wait("v4 is withdrawn", lambda said: said.get("withdrawn") == withdrawn, ACT_SECONDS)
            scene.wait("v4 has no traffic", lambda said: share(said, "candidate") == 0, ACT_SECONDS)
            scene.split(self._prober, self._names, {stable: 100}, 5)
            scene.show("-o wide")

    def reverted(self) -> None:
        """Put the old spec back, as a Git revert would."""
        with self._station("the old spec back") as scene:
            stable = revision(self.deployment.status(), "stable")
            change = {"model": {"uri": self._better.uri}, "rollout": {"canary": None, "shadow": None}}
            scene.type(self.deployment.patch_command(change))
            scene.wait(
                "v2 is what the spec asks for",
                lambda said: is_ready(said) and said.get("phase") == "Stable" and revision(said, "stable") == stable,
                ACT_SECONDS,
            )
            scene.split(self._prober, self._names, {stable: 100}, 4)
            scene.show("-o wide")

    def planned(self) -> None:
        """Let v4 go through a plan by itself: a copy, a fifth, a half until somebody says more, everything."""
        with self._station("v4 goes by a plan") as scene:
            plan = [
                {"shadowPercent": 100, "pause": {"duration": "3s"}},
                {"trafficPercent": 20, "pause": {"duration": "3s"}},
                {"trafficPercent": 50, "pause": {}},
                {"trafficPercent": 100},
            ]
            change = {
                "model": {"uri": self._challenger.uri},
                "rollout": {"canary": {"steps": plan}, "standbySeconds": 600},
            }
            scene.type(self.deployment.patch_command(change))
            status = scene.wait(
                "v4 waits at 50 %",
                lambda said: share(said, "candidate") == 50 and said.get("waiting", {}).get("cause") == "Person",
                START_SECONDS,
            )
            stable, candidate = self._role(status, "stable"), self._role(status, "candidate")
            scene.say(f"waits: {status['waiting']['message']}")
            scene.split(self._prober, self._names, {stable: 50, candidate: 50}, 6)
            scene.show()
            scene.type(self.deployment.annotate_command("resume", candidate))
            status = scene.wait(
                "v4 is stable",
                lambda said: is_ready(said) and revision(said, "stable") == candidate,
                ACT_SECONDS,
            )
            scene.split(self._prober, self._names, {candidate: 100}, 4)
            scene.show()

    def undone(self) -> None:
        """Undo the promotion: v2's pods are still there, so only the route moves."""
        with self._station("back to v2 at once") as scene:
            status = self.deployment.status()
            previous = str(status["history"][0]["revision"]["revision"])
            before = set(self.deployment.pods(previous))
            scene.type(self.deployment.annotate_command("rollback", "previous"))
            scene.wait(
                "v2 is stable again",
                lambda said: said.get("phase") == "Stable" and revision(said, "stable") == previous,
                ACT_SECONDS,
            )
            scene.split(self._prober, self._names, {previous: 100}, 4)
            after = set(self.deployment.pods(previous))
            scene.claim(bool(before) and before <= after, "the pods that served v2 before serve it again")
            scene.show("-o wide")

    def released(self) -> None:
        """Move an alias in MLflow: the canary starts by itself, and MLflow hears what became of it."""
        with self._station("an alias releases v4") as scene:
            scene.type(stage.alias_command("champion", self._better.uri))
            change = {
                "model": {"uri": "models:/fraud@champion", "registry": {"writeBack": True}},
                "rollout": {"canary": {"trafficPercent": 20, "steps": None}},
            }
            scene.type(self.deployment.patch_command(change))
            scene.wait("what the alias names is what serves", is_ready, ACT_SECONDS)
            scene.type(stage.alias_command("champion", self._challenger.uri))
            status = scene.wait(
                "the candidate has 20 %",
                lambda said: said.get("phase") == "Canary" and share(said, "candidate") == 20,
                START_SECONDS,
            )
            stable, candidate = self._role(status, "stable"), self._meet(status, "candidate")
            scene.split(self._prober, self._names, {stable: 80, candidate: 20}, 6)
            scene.show()
            scene.type(self.deployment.patch_command({"rollout": {"canary": {"trafficPercent": 100}}}))
            scene.wait(
                "v4 is stable, and MLflow knows",
                lambda said: (
                    is_ready(said)
                    and revision(said, "stable") == candidate
                    and condition(said, "RegistryUpdated").get("status") == "True"
                ),
                START_SECONDS,
            )
            scene.split(self._prober, self._names, {candidate: 100}, 4)
            record = stage.recorded(self.deployment.kube, self._challenger)
            told = record.tags.get("ferryman.demo.fraud", "nothing")
            scene.claim(told.startswith("Promoted") and candidate in told, f"MLflow says of v4: {told}")


def _shown(path: Path) -> str:
    """Return a path as short as it can be typed from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
