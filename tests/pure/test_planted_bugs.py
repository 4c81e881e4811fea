"""The bugs that the campaign must find: each has to find its place in the operator, or it would prove nothing."""

from pathlib import Path

import pytest
from campaign import generate, oracles, page, report
from campaign.diary import Diary, digest
from campaign.faults import Plan
from campaign.planted import BUGS, SOUND, Bug, planted
from campaign.runner import Result

ORACLES = ("chain", *(oracle.__name__ for oracle in (*oracles.OF_ANY_RUN, *oracles.OF_A_KNOWN_RUN)))


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_bug_can_be_planted_and_its_plans_and_its_oracle_are_known(bug: Bug, tmp_path: Path) -> None:
    copy = planted(bug, tmp_path)

    assert digest(copy) != digest(SOUND)
    for file, _, _ in bug.changes:
        compile((copy / "ferryman" / file).read_text(), file, "exec")
    assert bug.workload in generate.CLASSES[bug.kind].workloads
    assert bug.oracle in ORACLES


def test_a_campaign_that_was_cut_off_knows_what_it_has_lived(tmp_path: Path) -> None:
    diary = Diary(tmp_path / "reports" / "campaign.jsonl")
    diary.begin()
    plan = Plan(name="crash/create/1", workload="create")

    diary.note(Result(plan, {"i1": ["lost"]}, 1.5, 20.0, 0))
    diary.note_planted("half-made", found=True)

    [result] = Diary(tmp_path / "reports" / "campaign.jsonl").results()
    assert (result.plan, result.verdict, result.settled_after) == (plan, "failed", 1.5)
    assert diary.planted() == {"half-made": True}


def test_what_another_operator_has_lived_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "campaign.jsonl"
    file.touch()
    diary = Diary(file)
    diary.note_planted("half-made", found=True)

    monkeypatch.setattr("campaign.diary.digest", lambda _: "another")

    assert Diary(file).planted() == {}


def result(name: str, seconds: float, *complaints: str) -> Result:
    return Result(Plan(name=name, workload="create"), {"i1": list(complaints)} if complaints else {}, 1.5, seconds, 0)


def test_a_class_that_was_lived_has_its_row_and_the_others_keep_theirs(tmp_path: Path) -> None:
    there = tmp_path / "reliability.md"
    there.write_text("before\n<!-- generated: campaign -->\nNothing yet.\n<!-- end: campaign -->\nafter\n")

    page.write(
        {"crash": [result("crash/create/1", 3600.0), result("crash/create/2", 1800.0, "lost")]}, "a" * 64, there
    )
    page.write({"storms": [result("storms/create/1", 360.0)]}, "b" * 64, there)

    told = there.read_text()
    assert (told[:7], told[-6:]) == ("before\n", "after\n")
    rows = [line.split(" | ") for line in told.splitlines() if line.startswith("| ")][1:]
    assert [(row[0], *row[2:]) for row in rows] == [
        ("| crash", "2", "1", "1", "0", "1.5", "1.5", "`aaaaaaaa` |"),
        ("| storms", "1", "1", "0", "0", "1.5", "0.1", "`bbbbbbbb` |"),
        ("| **all**", "3", "2", "1", "0", "1.5", "1.6", " |"),
    ]


def test_people_who_watch_see_a_line_for_each_class(capsys: pytest.CaptureFixture[str]) -> None:
    report.show([result("crash/create/1", 3600.0), result("storms/create/1", 360.0, "lost")])

    shown = capsys.readouterr().out
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("│")] == ["crash", "storms", "all"]
