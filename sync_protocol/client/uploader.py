"""Bringing photos to the server with tus 1.0.0: ask first, resume at the byte, believe the whole file's
hash alone.

Ops never wait for photos and photos never wait for ops (D10, rules P28–P30).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import (
    BUSY,
    Offline,
    Refused,
    ServerBusy,
    Transport,
    header,
    problem,
    wait_s,
)
from sync_protocol.limits import MAX_PAGE

GONE = (404, 410)
WHO = (401, 403)  # about the person, not about this photo: nothing else will fare better
HASH_MISMATCH = 460
OFFSET_CONFLICT = 409
LOCKED = 423
TRIES = 4


@dataclass(frozen=True, slots=True)
class UploadReport:
    """What one round came to: photos still waiting, and {sha256: code} of those refused for now."""

    waiting: int
    refused: Mapping[str, str]


class Uploader:
    """Uploads the photos of one store over one connection. `sent` counts photos and bytes, for people."""

    def __init__(self, store: ClientStore, transport: Transport, base: str, chunk_bytes: int) -> None:
        self._store, self.transport, self._base, self._chunk_bytes = store, transport, base, chunk_bytes
        self.sent = {"photos": 0, "bytes": 0}

    def run(self) -> UploadReport:
        """Offer every waiting photo once. One that is refused or damaged does not hold up the others.

        Raises Offline, ServerBusy, and Refused where the refusal is about the person.
        """
        refused: dict[str, str] = {}
        waiting = self._store.waiting()
        there, partial = self._query([{"sha256": sha, "size": size} for sha, size, _, _ in waiting])
        for sha, size, mime, url in waiting:
            try:
                if sha in there or self._send(sha, size, mime, partial.get(sha) or url):
                    self._store.note_done(sha)
            except Refused as refusal:
                if refusal.status in WHO:
                    raise
                refused[sha] = refusal.code
        return UploadReport(len(self._store.waiting()), refused)

    def _query(self, want: list[dict[str, Any]]) -> tuple[set[str], dict[str, str]]:
        """P28: what the server has in whole and in part."""
        there, partial = set[str](), dict[str, str]()
        for n in range(0, len(want), MAX_PAGE):
            answer = self.transport.json(
                "POST", f"{self._base}/blobs/query", {"want": want[n : n + MAX_PAGE]}
            )
            there.update(answer["have"])
            partial.update({p["sha256"]: p["url"] for p in answer.get("partial", ()) if p.get("url")})
        return there, partial

    def _send(self, sha: str, size: int, mime: str, url: str | None) -> bool:
        if not self._is_sound(sha):
            return False
        for _ in range(TRIES):
            place = url or self._create(sha, size, mime)
            try:
                self._patch(sha, size, place)
            except Refused as refusal:
                if refusal.status in (HASH_MISMATCH, OFFSET_CONFLICT):
                    url = place  # P30: ask where it stands, go on from there
                    continue
                if refusal.status in GONE:
                    self._store.note_url(sha, None)
                    url = None
                    continue
                raise
            self.sent["photos"] += 1
            return True
        return False

    def _is_sound(self, sha: str) -> bool:
        """P30: the file here still hashes to its name; a damaged one is set aside for a person."""
        if self._store.is_sound(sha):
            return True
        self._store.note_damaged(sha)
        return False

    def _create(self, sha: str, size: int, mime: str) -> str:
        meta = ",".join(
            f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("sha256", sha), ("mime", mime))
        )
        got = self._tus(
            "POST", f"{self._base}/blobs", b"", {"Upload-Length": str(size), "Upload-Metadata": meta}
        )
        place = urlsplit(header(got, "Location"))  # it may name this server by another name: the path counts
        url = f"{place.path}?{place.query}" if place.query else place.path
        self._store.note_url(sha, url)
        return url

    def _patch(self, sha: str, size: int, url: str) -> None:
        """P29: HEAD says where the server stands; an empty file is complete at creation."""
        offset = _offset(self._tus("HEAD", url, None, {}), 0, size)
        with open(self._store.path(sha), "rb") as file:
            while offset < size:
                file.seek(offset)
                block = file.read(self._chunk_bytes)
                self.sent["bytes"] += len(block)
                head = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                offset = _offset(self._tus("PATCH", url, block, head), offset + 1, offset + len(block))

    def _tus(self, method: str, url: str, body: bytes | None, extra: Mapping[str, str]) -> Any:
        headers = {**self.transport.headers(), "Tus-Resumable": "1.0.0", **extra}
        status, got, data = self.transport.raw(method, url, body, headers)
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
