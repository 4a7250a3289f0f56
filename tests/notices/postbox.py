"""A mail server on loopback that takes mails, or does as it is told: refuses, hangs, goes away in the middle, says 4xx or 5xx."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


@dataclass
class Postbox:
    """`says`: command → what is answered instead of yes ("hang", "close", or a line). `taken`: mails that were accepted."""

    port: int = 0
    says: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    taken: list[EmailMessage] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)


@contextmanager
def postbox(tls: ssl.SSLContext | None = None) -> Iterator[Postbox]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Postbox(listener.getsockname()[1], tls=tls)

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


def _serve(made: Postbox, line: Any) -> None:
    line.settimeout(20)
    try:
        with line:
            _talk(made, line)
    except OSError:  # whoever wrote has gone, or did not trust us
        return


def _say(made: Postbox, line: Any, command: str, usual: str) -> bool:
    """Answer; False where the line is over."""
    told = made.says.get(command, usual)
    if told == "hang":
        line.recv(1)
        return False
    if told == "close":
        return False
    line.sendall(told.encode() + b"\r\n")
    return True


def _talk(made: Postbox, line: Any) -> None:
    if _say(made, line, "CONNECT", "220 postbox"):
        _converse(made, line)


def _converse(made: Postbox, line: Any) -> None:
    with line.makefile("rb") as reader:
        _commands(made, line, reader)


def _commands(made: Postbox, line: Any, reader: Any) -> None:
    while said := reader.readline():
        text = said.decode().strip()
        command = text.split(" ")[0].split(":")[0].upper()
        made.heard.append(text)
        if command == "EHLO":
            offers = "250-postbox\r\n250 STARTTLS" if made.tls and not isinstance(line, ssl.SSLSocket) else "250-postbox\r\n250 AUTH PLAIN"
            if not _say(made, line, command, offers):
                return
        elif command == "STARTTLS" and made.tls:
            line.sendall(b"220 go\r\n")
            with made.tls.wrap_socket(line, server_side=True) as inner:
                _converse(made, inner)
            return
        elif command == "DATA":
            if not _say(made, line, "DATA", "354 go on"):
                return
            if made.says.get("DATA", "354").startswith("354") and not _take(made, line, reader):
                return
        elif not _say(made, line, command, {"QUIT": "221 bye", "AUTH": "235 well"}.get(command, "250 ok")):
            return
        if command == "QUIT":
            return


def _take(made: Postbox, line: Any, reader: Any) -> bool:
    lines = []
    while (each := reader.readline()) not in (b".\r\n", b""):
        lines.append(each)
    told = made.says.get("END", "250 taken")
    if told.startswith("250") or told == "close":  # gone after it was taken: nobody knows but us
        found = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(found, EmailMessage)
        made.taken.append(found)
    return _say(made, line, "END", "250 taken")
