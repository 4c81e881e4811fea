"""Daemons are found, adopted and ended without a note of their process ids."""

import pathlib
import sys

import pytest

from localcluster import errors, process

PYTHON = str(pathlib.Path(sys.executable).resolve())


@pytest.fixture
def owner(tmp_path):
    yield tmp_path
    process.end([r.pid for r in process.running(tmp_path)], grace=0)


def sleeper(name="sleeper", seconds="60", **rest):
    argv = (PYTHON, "-c", f"import time; time.sleep({seconds})")
    return process.Daemon(name=name, argv=argv, ready=lambda: True, **rest)


def test_a_daemon_is_started_once(owner):
    assert process.ensure(sleeper(), owner, owner / "log") is True

    assert process.ensure(sleeper(), owner, owner / "log") is False
    assert len(process.running(owner)) == 1


def test_a_daemon_with_other_settings_is_started_anew(owner):
    process.ensure(sleeper(), owner, owner / "log")
    (before,) = process.running(owner)

    process.ensure(sleeper(env={"LEVEL": "debug"}), owner, owner / "log")

    (after,) = process.running(owner)
    assert after.pid != before.pid


def test_a_dead_daemon_is_replaced(owner):
    process.ensure(sleeper(), owner, owner / "log")
    (before,) = process.running(owner)
    process.end([before.pid], grace=0)

    process.ensure(sleeper(), owner, owner / "log")

    (after,) = process.running(owner)
    assert after.pid != before.pid


def test_a_daemon_outlives_its_starter_in_a_session_of_its_own(owner):
    process.ensure(sleeper(), owner, owner / "log")

    (found,) = process.running(owner)
    session = pathlib.Path(f"/proc/{found.pid}/stat").read_text().rpartition(")")[2].split()[3]

    assert int(session) == found.pid


def test_one_cluster_does_not_see_another_s_processes(owner, tmp_path_factory):
    process.ensure(sleeper(), owner, owner / "log")

    assert process.running(tmp_path_factory.mktemp("other")) == []


def test_a_daemon_that_ends_by_itself_is_reported_with_its_last_words(owner):
    argv = (PYTHON, "-c", "import sys; sys.exit('port 6443 is taken')")
    daemon = process.Daemon(name="kube-apiserver", argv=argv, ready=lambda: False)

    with pytest.raises(errors.ClusterError, match=r"kube-apiserver ended by itself.*\n.*port 6443 is taken"):
        process.ensure(daemon, owner, owner / "log", seconds=20)


def test_a_daemon_that_does_not_listen_to_reason_is_ended_all_the_same(owner):
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    log = owner / "log"
    daemon = process.Daemon(name="deaf", argv=(PYTHON, "-c", deaf), ready=lambda: log.read_text() != "")
    process.ensure(daemon, owner, log)

    process.end([r.pid for r in process.running(owner)], grace=0.1)

    assert process.running(owner) == []
