"""Steps wait for what they need, and a failure ends the run without hanging it."""

import io
import threading

import pytest
import rich.console

from localcluster import flow, progress


@pytest.fixture
def board():
    return progress.Board(rich.console.Console(file=io.StringIO()))


def test_a_step_waits_for_what_it_needs(board):
    done = []

    flow.run(
        [
            flow.Step("kubelet", lambda _: done.append("kubelet"), ("containerd",)),
            flow.Step("containerd", lambda _: done.append("containerd")),
        ],
        board,
    )

    assert done == ["containerd", "kubelet"]


def test_steps_that_need_nothing_of_each_other_run_together(board):
    meeting = threading.Barrier(2, timeout=10)

    flow.run(
        [flow.Step("build", lambda _: meeting.wait()), flow.Step("debootstrap", lambda _: meeting.wait())], board
    )

    assert not meeting.broken


def test_after_a_failure_nothing_that_needs_it_begins(board):
    begun = []

    def fail(_):
        raise RuntimeError("no space left")

    with pytest.raises(RuntimeError, match="no space left"):
        flow.run([flow.Step("build", fail), flow.Step("start", lambda _: begun.append(1), ("build",))], board)

    assert begun == []


def test_a_plain_terminal_gets_one_line_a_step(board):
    flow.run([flow.Step("etcd", lambda _: None, quiet_below=0)], board)

    assert "etcd" in board.console.file.getvalue()


def test_nothing_to_do_is_done_at_once(board):
    flow.run([], board)

    assert board.console.file.getvalue() == ""
