"""One HTTP/1.1 message as bytes on a socket: read whole, forwarded byte for byte. No faults, no meaning."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
BODILESS = (204, 304)


class Broken(Exception):
    """The line ended inside a message; `arrived` is what there was of it."""

    def __init__(self, arrived: bytes) -> None:
        super().__init__(f"{len(arrived)} bytes of a message, then nothing")
        self.arrived = arrived


@dataclass(frozen=True)
class Message:
    """A request or an answer, as it came: `head` up to and with the empty line, then `body`."""

    head: bytes
    body: bytes

    @property
    def data(self) -> bytes:
        return self.head + self.body

    @property
    def start(self) -> list[str]:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    @property
    def method(self) -> str:
        return self.start[0]

    @property
    def path(self) -> str:
        return self.start[1]

    @property
    def status(self) -> int:
        return int(self.start[1])

    def header(self, name: str) -> str | None:
        return _header(self.head, name)

    @property
    def closes(self) -> bool:
        return (self.header("connection") or "").lower() == "close"


def read_request(line: BinaryIO) -> Message | None:
    """The next request, or None where the line ended between two. Raises Broken, OSError."""
    head = _head(line)
    return None if head is None else Message(head, b"".join(_body(line, head, to_the_end=False)))


def read_answer(line: BinaryIO, method: str) -> Message:
    """The answer to a request by `method`. Raises Broken, OSError."""
    head = _head(line)
    if head is None:
        raise Broken(b"")
    status = int(head.split(b" ", 2)[1])
    if method == "HEAD" or status in BODILESS:
        return Message(head, b"")
    return Message(head, b"".join(_body(line, head, to_the_end=True)))


def drop(line: socket.socket, reset: bool = False) -> None:
    """Hang up: with a reset (what was sent may be lost), or in order. A line that is gone already is dropped."""
    with suppress(OSError):
        if reset:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        else:
            line.shutdown(socket.SHUT_RDWR)
    line.close()


def _header(head: bytes, name: str) -> str | None:
    for row in head.split(b"\r\n")[1:]:
        key, _, value = row.decode("latin-1").partition(":")
        if key.lower() == name:
            return value.strip()
    return None


def _head(line: BinaryIO) -> bytes | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        row = line.readline(MAX_HEAD_BYTES)
        if not row or len(head) > MAX_HEAD_BYTES:
            if head or row:
                raise Broken(head + row)
            return None
        head += row
    return head


def _body(line: BinaryIO, head: bytes, to_the_end: bool) -> Iterator[bytes]:
    if (_header(head, "transfer-encoding") or "").lower() == "chunked":
        yield from _chunks(line, head)
        return
    length = _header(head, "content-length")
    if length is None:
        if to_the_end:
            yield line.read(MAX_BODY_BYTES)
        return
    body = line.read(int(length))
    if len(body) < int(length):
        raise Broken(head + body)
    yield body


def _chunks(line: BinaryIO, head: bytes) -> Iterator[bytes]:
    while True:
        row = line.readline(MAX_HEAD_BYTES)
        if not row.endswith(b"\r\n"):
            raise Broken(head + row)
        size = int(row.split(b";")[0], 16)
        data = line.read(size + 2)
        if len(data) < size + 2:
            raise Broken(head + row + data)
        yield row + data
        if size == 0:
            return
