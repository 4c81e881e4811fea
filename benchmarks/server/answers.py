"""Asks a running server and compares what it answers with what is right, before any load is trusted."""

from __future__ import annotations

import http.client
import json
import subprocess
from pathlib import Path

from benchmarks.server import places, questions
from benchmarks.server.process import Server
from benchmarks.server.questions import Question


class WrongError(Exception):
    """A server answered, and not rightly."""


def must(fault: str) -> None:
    """Raise what is wrong, if anything is."""
    if fault:
        raise WrongError(fault)


def wrong(server: Server, path: str, asked: list[Question]) -> str:
    """Ask each question once on one connection; return what is wrong with the first bad answer, or nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", server.ports.http, timeout=30)
    try:
        for question in asked:
            connection.request("POST", path, question.body, dict(question.headers))
            reply = connection.getresponse()
            body = reply.read()
            if reply.status != 200:
                return f"{reply.status} {body[:160].decode(errors='replace')}"
            if server.peer.answers:
                given = questions.predictions({key.lower(): value for key, value in reply.headers.items()}, body)
                if not questions.agree(question.answer, given):
                    return f"answered {given[:5]}, right is {question.answer[:5]}"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}"[:200]
    finally:
        connection.close()
    return ""


def wrong_grpc(server: Server, request: Path, answer: list[float]) -> str:
    """Ask one request through gRPC; return what is wrong with the answer, or nothing."""
    command = [
        *(str(places.SERVER_VENV / "bin" / "python"), "-m", "benchmarks.server.ask_grpc"),
        *(f"127.0.0.1:{server.ports.grpc}", str(request)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=places.REPOSITORY)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]
    given = json.loads(done.stdout)
    return "" if questions.agree(answer, given) else f"answered {given[:5]}, right is {answer[:5]}"
