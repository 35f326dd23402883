"""Messages between the sandbox's client and its server: four bytes of length, then JSON."""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

LENGTH_BYTES = 4
MAX_MESSAGE_BYTES = 64 << 20
READ_BYTES = 1 << 16


class PeerGoneError(Exception):
    """The other side closed the pipe, or sent something that is no message."""


def write_message(descriptor: int, message: dict[str, Any]) -> None:
    """Write one message.

    Raises:
        PeerGoneError: nobody reads any more.
    """
    body = json.dumps(message).encode("ascii")
    view = memoryview(len(body).to_bytes(LENGTH_BYTES, "big") + body)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise PeerGoneError(f"writing: {error.strerror}") from error


def read_message(descriptor: int, timeout_s: float | None = None) -> dict[str, Any]:
    """Return the next message.

    Raises:
        PeerGoneError: the pipe ended.
        TimeoutError: the message is not there in time.
    """
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    length = int.from_bytes(_read_exactly(descriptor, LENGTH_BYTES, deadline_s), "big")
    if length > MAX_MESSAGE_BYTES:
        raise PeerGoneError(f"a message of {length} bytes; allowed: {MAX_MESSAGE_BYTES}")
    message = parse_message(_read_exactly(descriptor, length, deadline_s))
    if message is None:
        raise PeerGoneError(f"{length} bytes that are no JSON object")
    return message


class MessageBuffer:
    """Puts messages together from the pieces that a pipe hands out.

    Args:
        max_bytes: of all messages together.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._data = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that are complete with this piece.

        Raises:
            PeerGoneError: more than `max_bytes`, or something that is no message.
        """
        self._left -= len(data)
        self._data += data
        if self._left < 0:
            raise PeerGoneError("more than it may say")
        messages = []
        while len(self._data) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._data[:LENGTH_BYTES], "big")
            if len(self._data) < end:
                break
            message = parse_message(self._data[LENGTH_BYTES:end])
            if message is None:
                raise PeerGoneError(f"{end - LENGTH_BYTES} bytes that are no JSON object")
            messages.append(message)
            self._data = self._data[end:]
        return messages


def parse_message(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `body`, or None when it holds none."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _read_exactly(descriptor: int, count: int, deadline_s: float | None) -> bytes:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    data = b""
    while len(data) < count:
        left_ms = None if deadline_s is None else max(0.0, deadline_s - time.monotonic()) * 1000
        if not poller.poll(left_ms):
            raise TimeoutError("no answer in time")
        chunk = os.read(descriptor, min(READ_BYTES, count - len(data)))
        if not chunk:
            raise PeerGoneError("the pipe ended")
        data += chunk
    return data
