"""What parent and worker say arrives whole, with its connections, and also when one of them has died."""

import socket

import pytest

from ferryman_server.workers.channel import Channel, Kind, Message


def test_a_connection_arrives_and_is_the_same_one():
    ours, theirs = Channel.pair()
    near, far = socket.socketpair()

    assert ours.send(Message(Kind.REST, b"x", near.fileno()))
    near.close()
    heard = Channel(theirs).receive()

    assert (heard.kind, heard.body) == (Kind.REST, b"x")
    with socket.socket(fileno=heard.descriptor) as arrived:
        arrived.sendall(b"hello")
        assert far.recv(5) == b"hello"
        assert not arrived.get_inheritable()
    assert far.recv(1) == b""  # nobody else holds it


def test_nothing_said_is_not_an_end():
    ours, theirs = Channel.pair()

    with pytest.raises(BlockingIOError):
        ours.receive()
    theirs.close()

    assert ours.receive() is None


def test_last_words_are_heard_although_their_speaker_left_something_unread():
    ours, theirs = Channel.pair()
    ours.send(Message(Kind.PART_REST, b"1"))
    Channel(theirs).send(Message(Kind.FAILED, b"why"))

    theirs.close()

    assert ours.receive() == Message(Kind.FAILED, b"why")
    assert ours.receive() is None
    assert ours.send(Message(Kind.PART_REST, b"1")) is False


def test_who_does_not_listen_does_not_stop_the_speaker():
    ours, _theirs = Channel.pair()

    said = 0
    while ours.send(Message(Kind.PART_REST, b"1")):
        said += 1

    assert said > 0
