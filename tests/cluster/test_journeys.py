"""The journeys of a revision: every way in, every way back, and not one failed request on any of them."""

from __future__ import annotations

from cluster import lanes
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import measure, patience, stage
from ferrydemo.modeldeployment import revision, share


def test_a_canary_goes_from_10_to_50_to_100_and_no_pod_restarts(served: Served):
    better = served.other()
    served.patch(better, canary={"trafficPercent": 10})
    ten = served.until_weight(10)
    pods = served.deployment.pods(revision(ten, "candidate"))
    served.measured(ten, 10)

    served.patch(canary={"trafficPercent": 50})
    served.measured(served.until_weight(50), 50)
    served.patch(canary={"trafficPercent": 100})
    promoted = served.until_stable(better)

    assert revision(promoted, "stable") == revision(ten, "candidate")
    assert served.deployment.pods(revision(promoted, "stable")) == pods
    served.measured(promoted, 0, seconds=3)


def test_0_rolls_a_canary_back_and_a_raised_number_brings_it_back(served: Served):
    stable = revision(served.deployment.status(), "stable")
    served.patch(served.other(), canary={"trafficPercent": 40})
    candidate = revision(served.until_weight(40), "candidate")

    served.patch(canary={"trafficPercent": 0})

    withdrawn = served.deployment.wait(
        "withdrawn", lambda said: said.get("withdrawn") == candidate and share(said, "stable") == 100, ACT_SECONDS
    )
    assert revision(withdrawn, "stable") == stable
    served.measured(withdrawn, 0, seconds=2)

    served.patch(canary={"trafficPercent": 30})

    back = served.until_weight(30)
    assert revision(back, "candidate") == candidate
    served.measured(back, 30, seconds=3)


def test_the_old_spec_back_ends_a_canary_at_once(served: Served):
    before = served.deployment.status()
    old = before["stable"]["model"]["requested"]
    served.patch(served.other(), canary={"trafficPercent": 50})
    served.until_weight(50)

    served.patch(old)

    after = served.deployment.wait(
        "all traffic on stable", lambda said: share(said, "stable") == 100 and not said.get("candidate"), ACT_SECONDS
    )
    assert revision(after, "stable") == revision(before, "stable")
    served.measured(after, 0, seconds=2)


def test_a_third_revision_mid_canary_takes_the_place_of_the_second(served: Served):
    stable = revision(served.deployment.status(), "stable")
    second, third = served.other(), served.other(served.other())
    served.patch(second, canary={"trafficPercent": 50})
    middle = revision(served.until_weight(50), "candidate")

    served.patch(third, canary={"trafficPercent": 20})

    status = served.deployment.wait(
        "the second to lose its traffic",
        lambda said: revision(said, "candidate") not in {"", middle} and share(said, "stable") == 100,
        ACT_SECONDS,
    )
    assert revision(status, "stable") == stable
    third_at_20 = served.until_weight(20)
    assert third_at_20["candidate"]["model"]["uri"] == third
    served.measured(third_at_20, 20, seconds=4)
    patience.until("the second's pods to go", lambda: not served.deployment.pods(middle), ACT_SECONDS)


def test_a_canary_of_two_pods_that_loses_one_costs_no_request(served: Served):
    served.deployment.patch({"scaling": {"minReplicas": 3, "maxReplicas": 3}})
    served.patch(served.other(), canary={"trafficPercent": 50})
    candidate = revision(served.until_weight(50), "candidate")
    pod, other = served.deployment.pods(candidate)

    delete(served, pod.name, "--force", "--grace-period=0")

    patience.until("another in its place", lambda: len(ready(served, candidate) - {pod.uid}) == 2, START_SECONDS)
    assert other.uid in ready(served, candidate)


def test_a_canary_whose_pods_are_all_deleted_loses_its_traffic_at_once(served: Served):
    served.patch(served.other(), canary={"trafficPercent": 50})
    candidate = revision(served.until_weight(50), "candidate")
    before = ready(served, candidate)

    delete(served, "-l", f"ferryman.dev/revision={candidate}", "--wait=false")

    served.deployment.wait("weight 0", lambda said: share(said, "candidate") == 0, ACT_SECONDS)
    back = served.until_weight(50)
    assert revision(back, "candidate") == candidate
    assert not before & ready(served, candidate)
    served.measured(back, 50, seconds=4)


def test_a_canary_whose_pods_are_all_killed_loses_its_traffic_at_once(served: Served):
    served.patch(served.other(), canary={"trafficPercent": 50})
    candidate = revision(served.until_weight(50), "candidate")

    delete(served, "-l", f"ferryman.dev/revision={candidate}", "--force", "--grace-period=0")

    served.deployment.wait("weight 0", lambda said: share(said, "candidate") == 0, ACT_SECONDS)
    served.until_weight(50)


def test_a_shadow_gets_every_request_and_changes_no_answer(served: Served):
    stable = revision(served.deployment.status(), "stable")
    served.patch(served.other(), shadow={"percent": 100}, canary={"trafficPercent": 0})

    status = served.deployment.wait("a shadow", lambda said: share(said, "shadow") == 100, START_SECONDS)

    shadow = revision(status, "candidate")
    arrived = measure.predictions(served.deployment, shadow)
    patience.until("copies", lambda: measure.predictions(served.deployment, shadow) > arrived, ACT_SECONDS)
    mirrored = measure.mirrored(served.deployment, served.prober, shadow, 5)
    assert measure.mirror_fits(mirrored, 100), str(mirrored)
    assert measure.fits(mirrored.window, {stable: 100})


def test_half_of_the_requests_can_be_mirrored(served: Served):
    served.patch(served.other(), shadow={"percent": 50}, canary={"trafficPercent": 0})

    status = served.deployment.wait("a shadow", lambda said: share(said, "shadow") == 50, START_SECONDS)

    shadow = revision(status, "candidate")
    arrived = measure.predictions(served.deployment, shadow)
    patience.until("copies", lambda: measure.predictions(served.deployment, shadow) > arrived, ACT_SECONDS)
    mirrored = measure.mirrored(served.deployment, served.prober, shadow, 5)
    assert measure.mirror_fits(mirrored, 50), str(mirrored)


def test_an_operator_killed_mid_canary_ends_in_the_same_place(served: Served):
    kube, better = served.deployment.kube, served.other()
    served.patch(better, canary={"trafficPercent": 10})
    served.until_weight(10)

    served.patch(canary={"trafficPercent": 60})
    with lanes.alone():
        kube.kubectl(
            "-n", stage.SYSTEM_NAMESPACE, "delete", "pod", "--all", "--force", "--grace-period=0", seconds=60
        )
        stage.rolled_out(kube, stage.SYSTEM_NAMESPACE, stage.OPERATOR, START_SECONDS)

    served.measured(served.until_weight(60), 60, seconds=4)
    served.patch(canary={"trafficPercent": 100})
    served.until_stable(better)


def test_an_alias_that_moves_starts_a_candidate(served: Served):
    kube, before = served.deployment.kube, served.deployment.status()
    serving, next_one = before["stable"]["model"]["uri"], served.other()
    stage.alias(kube, "live", serving)
    served.patch("models:/pool@live", canary={"trafficPercent": 50})
    served.deployment.wait(
        "the alias to be what serves already",
        lambda said: said.get("phase") == "Stable" and not said.get("candidate"),
        ACT_SECONDS,
    )

    stage.alias(kube, "live", next_one)

    status = served.until_weight(50)
    assert status["candidate"]["model"]["uri"] == next_one
    assert revision(status, "stable") == revision(before, "stable")


def delete(served: Served, *options: str) -> None:
    """Delete pods."""
    served.deployment.kube.kubectl("-n", served.deployment.namespace, "delete", "pod", *options)


def ready(served: Served, name: str) -> set[str]:
    """Return the UIDs of a revision's ready pods."""
    return {pod.uid for pod in served.deployment.pods(name) if pod.ready}
