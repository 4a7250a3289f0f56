"""Bringing photos to the server with tus 1.0.0: ask first, resume at the byte, believe the whole file's
hash alone.

Ops never wait for photos and photos never wait for ops (D10, rules P28–P30).
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Offline, Refused, ServerBusy, Transport
from sync_protocol.limits import MAX_PAGE

GONE = (404, 410)
HASH_MISMATCH = 460
OFFSET_CONFLICT = 409
TRIES = 4


class Uploader:
    """Uploads the photos of one store over one connection. `sent` counts photos and bytes, for people."""

    def __init__(self, store: ClientStore, transport: Transport, base: str, chunk_bytes: int) -> None:
        self._store, self.transport, self._base, self._chunk_bytes = store, transport, base, chunk_bytes
        self.sent = {"photos": 0, "bytes": 0}

    def run(self) -> int:
        """Offer every waiting photo; returns how many still wait. Raises Offline, ServerBusy, Refused."""
        waiting = self._store.waiting()
        there, partial = self._query([{"sha256": sha, "size": size} for sha, size, _, _ in waiting])
        for sha, size, mime, url in waiting:
            if sha in there or self._send(sha, size, mime, partial.get(sha) or url):
                self._store.note_done(sha)
        return len(self._store.waiting())

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
        for _ in range(TRIES):
            place = url or self._create(sha, size, mime)
            try:
                self._patch(sha, size, place)
            except Refused as refusal:
                if refusal.status in (
                    HASH_MISMATCH,
                    OFFSET_CONFLICT,
                ):  # P30: ask where it stands, go on from there
                    url = place
                    continue
                if refusal.status in GONE:
                    self._store.note_url(sha, None)
                    url = None
                    continue
                raise
            self.sent["photos"] += 1
            return True
        return False

    def _create(self, sha: str, size: int, mime: str) -> str:
        meta = ",".join(
            f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("sha256", sha), ("mime", mime))
        )
        got = self._tus(
            "POST", f"{self._base}/blobs", b"", {"Upload-Length": str(size), "Upload-Metadata": meta}
        )
        url = str(got["Location"])
        self._store.note_url(sha, url)
        return url

    def _patch(self, sha: str, size: int, url: str) -> None:
        """P29: HEAD says where the server stands; an empty file is complete at creation."""
        offset = int(self._tus("HEAD", url, None, {})["Upload-Offset"])
        with open(self._store.path(sha), "rb") as file:
            while offset < size:
                file.seek(offset)
                block = file.read(self._chunk_bytes)
                self.sent["bytes"] += len(block)
                head = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                offset = int(self._tus("PATCH", url, block, head)["Upload-Offset"])

    def _tus(self, method: str, url: str, body: bytes | None, extra: Mapping[str, str]) -> Any:
        headers = {**self.transport.headers(), "Tus-Resumable": "1.0.0", **extra}
        status, got, data = self.transport.raw(method, url, body, headers)
        if status in (423, 429, 503):
            raise ServerBusy(float(got.get("Retry-After") or 5))
        if 400 <= status < 500:
            raise Refused(status, _problem(data))
        if not 200 <= status < 300:
            raise Offline(f"status {status}")
        return got


def _problem(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
