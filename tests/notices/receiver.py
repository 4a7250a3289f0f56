"""A webhook's receiver on loopback that answers as it is told: well, slowly, never, with a reset, a redirect, any status."""

import base64
import hashlib
import hmac
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Receiver:
    """What came in, and what is answered next (the last one again and again): a status, or the name of a fault."""

    port: int
    answers: list[Any] = field(default_factory=lambda: [200])
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=1"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A thread for each connection, until the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Receiver(listener.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_serve, args=(made, line), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


def _serve(made: Receiver, line: socket.socket) -> None:
    with line:
        line.settimeout(20)
        data = b""
        while b"\r\n\r\n" not in data:
            data += line.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (each.partition(":") for each in head.decode().split("\r\n")[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            body += line.recv(65536)
        made.seen.append((headers, body))
        answer = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
        try:
            _answer(line, answer)
        except OSError:  # whoever called has gone: that is what is tested
            return


def _answer(line: socket.socket, answer: Any) -> None:
    if answer == "reset":
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif answer == "silence":
        line.recv(1)
    elif answer == "drip":
        for letter in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400:
            line.sendall(bytes([letter]))
            time.sleep(0.05)
    elif answer == "flood":
        line.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1000):
            line.sendall(b"X-Flood: " + b"y" * 60000 + b"\r\n")
    elif answer == "garbage":
        line.sendall(b"\x00\xff not http at all\r\n\r\n")
    else:
        status, more = answer if isinstance(answer, tuple) else (answer, "")
        line.sendall(f"HTTP/1.1 {status} X\r\n{more}Content-Length: 2\r\n\r\nok".encode())


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """What a receiver that knows nothing of our code checks, from the public description of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    good = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{good}" in headers["webhook-signature"].split(" ")
