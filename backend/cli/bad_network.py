"""A line as bad as in the field, between the reference client and a real server. No protocol, no decisions."""

import random
import socket
from typing import Any
from urllib.parse import urlsplit

from sync_protocol.client.transport import Offline, Transport


class BadNetwork(Transport):
    """Loses requests and answers, sends some twice, and cuts uploads in the middle, by a seeded die."""

    def __init__(self, base_url: str, dice: random.Random, rate: float = 0.12, timeout_s: float = 30.0) -> None:
        super().__init__(base_url, timeout_s)
        self._dice, self._rate, self._address = dice, rate, urlsplit(base_url)
        self.faults = {"lost_request": 0, "lost_answer": 0, "sent_twice": 0, "cut_upload": 0}

    def raw(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        """One exchange, perhaps spoiled. Raises Offline."""
        if path.endswith("/enrol") or self._dice.random() > self._rate:
            return super().raw(method, path, body, headers)
        kind = self._dice.choice(["lost_request", "lost_answer", "sent_twice", "cut_upload"])
        if kind == "cut_upload" and (method != "PATCH" or not body or len(body) < 2):
            kind = "lost_answer"
        self.faults[kind] += 1
        if kind == "sent_twice":
            super().raw(method, path, body, headers)
            return super().raw(method, path, body, headers)
        if kind == "lost_answer":
            super().raw(method, path, body, headers)
        elif kind == "cut_upload":
            self._cut(method, path, body or b"", headers)
        self.close()
        raise Offline(kind)

    def _cut(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address.netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        half = body[: self._dice.randrange(1, len(body))]
        try:
            with socket.create_connection(
                (self._address.hostname or "127.0.0.1", self._address.port or 80), 10
            ) as line:
                line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + half)
        except OSError as fault:
            raise Offline(repr(fault)) from fault
