"""tus 1.0.0 as the reference client speaks it: create, ask where it stands, go on at that byte. No files of a store."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from sync_protocol.client.transport import BUSY, Offline, Refused, ServerBusy, Transport, header, problem, wait_s

LOCKED = 423


def create(transport: Transport, door: str, sha256: str, size: int, mime: str) -> str:
    """The path of an upload; the same for the same content at every try. Raises Offline, ServerBusy, Refused."""
    meta = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("sha256", sha256), ("mime", mime)))
    got = ask(transport, "POST", door, b"", {"Upload-Length": str(size), "Upload-Metadata": meta})
    place = urlsplit(header(got, "Location"))  # it may name this server by another name: the path counts
    return f"{place.path}?{place.query}" if place.query else place.path


def send(
    transport: Transport, url: str, file: BinaryIO, size: int, chunk_bytes: int, note: Callable[[int], None]
) -> None:
    """P29: HEAD says where the server stands; an empty file is complete at creation. `note` is told of bytes sent."""
    offset = _offset(ask(transport, "HEAD", url, None, {}), 0, size)
    while offset < size:
        file.seek(offset)
        block = file.read(chunk_bytes)
        note(len(block))
        head = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        offset = _offset(ask(transport, "PATCH", url, block, head), offset + 1, offset + len(block))


def ask(transport: Transport, method: str, url: str, body: bytes | None, extra: Mapping[str, str]) -> Any:
    """One exchange; the headers of its answer. Raises Offline, ServerBusy, Refused."""
    headers = {**transport.headers(), "Tus-Resumable": "1.0.0", **extra}
    status, got, data = transport.raw(method, url, body, headers)
    if status == LOCKED or status in BUSY:
        raise ServerBusy(wait_s(got.get("Retry-After")))
    if 400 <= status < 500:
        raise Refused(status, problem(data))
    if not 200 <= status < 300:
        raise Offline(f"status {status}")
    return got


def _offset(got: Any, at_least: int, at_most: int) -> int:
    """Upload-Offset of an answer. Raises Offline where it cannot be true; one that never moves would loop."""
    text = header(got, "Upload-Offset")
    if not (text.isascii() and text.isdigit() and at_least <= int(text) <= at_most):
        raise Offline(f"Upload-Offset {text!r} is not between {at_least} and {at_most}")
    return int(text)
