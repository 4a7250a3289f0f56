"""Bringing photos to the server with tus 1.0.0: ask first, resume at the byte, believe the whole file's
hash alone.

Ops never wait for photos and photos never wait for ops (D10, rules P28–P30).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync_protocol.client import tus
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Refused, Transport
from sync_protocol.limits import MAX_PAGE

GONE = (404, 410)
WHO = (401, 403)  # about the person, not about this photo: nothing else will fare better
HASH_MISMATCH = 460
OFFSET_CONFLICT = 409
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
            answer = self.transport.json("POST", f"{self._base}/blobs/query", {"want": want[n : n + MAX_PAGE]})
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
        url = tus.create(self.transport, f"{self._base}/blobs", sha, size, mime)
        self._store.note_url(sha, url)
        return url

    def _patch(self, sha: str, size: int, url: str) -> None:
        with open(self._store.path(sha), "rb") as file:
            tus.send(self.transport, url, file, size, self._chunk_bytes, self._note)

    def _note(self, count: int) -> None:
        self.sent["bytes"] += count
