"""The reference client: enrol, record offline, push, upload, pull. The library that tests and the field day drive."""

import base64
import hashlib
import json
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sync_protocol import PROTO, replica
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Offline, Refused, ServerBusy, Transport
from sync_protocol.identity import uuid7
from sync_protocol.limits import MAX_UNACKED, UPLOAD_CHUNK_BYTES

BASE = "/sync/v1"
MIMES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".heic": "image/heic",
}


class FieldClient:
    """One installation. Nothing it recorded is ever deleted before the server says that it is durable there."""

    def __init__(self, home: Path, base_url: str, now: Callable[[], datetime] | None = None, synchronous: str = "FULL",
                 chunk_bytes: int = UPLOAD_CHUNK_BYTES, timeout_s: float = 30.0) -> None:  # fmt: skip
        self.store = ClientStore(home, synchronous)
        self.transport = Transport(base_url, timeout_s)
        self.transport.token = self.store.state().get("token", "")
        self._now = now or (lambda: datetime.now().astimezone())
        self._chunk_bytes = chunk_bytes
        self.sent = {"ops": 0, "dups": 0, "photos": 0, "bytes": 0}

    def enrol(self, code: str, install_id: str, app: str = "reference/1") -> dict[str, Any]:
        """Redeem a one-time code; returns the server's answer."""
        answer = self.transport.json(
            "POST", f"{BASE}/enrol", {"code": code, "install_id": install_id, "app": app, "proto": PROTO}
        )
        with self.store.change() as state:
            state.update(replica.fresh(answer["replica"], answer["epoch"]))
            state.update(
                token=answer["token"],
                actor=answer["user"]["id"],
                install_id=install_id,
                next_seq=1,
                head=answer["head"],
            )
        self.transport.token = answer["token"]
        return answer

    def record(self, verb: str, ent: tuple[str, str], args: Mapping[str, Any], photos: Sequence[Path] = (),
               base: Mapping[str, Any] | None = None) -> str:  # fmt: skip
        """Write one op; durable on this device when it returns. `photos` are copied and hashed first."""
        blobs = [self._keep(path) for path in photos]
        op_id = uuid7(int(time.time() * 1000), secrets.token_bytes(10))
        with self.store.change() as state:
            body = {"op": op_id, "verb": verb, "v": 1, "actor": state["actor"], "ent": {"t": ent[0], "id": ent[1]}, "base": base,
                    "args": args, "blobs": blobs, "at": {"wall": self._now().isoformat(), "mono": time.monotonic_ns() // 1_000_000}}  # fmt: skip
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            state["outbox"].append({"op": op_id, "body": text, "ent": f"{ent[0]}:{ent[1]}"})
        return op_id

    def _keep(self, path: Path) -> dict[str, Any]:
        sha256, mime = (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            MIMES.get(path.suffix.lower(), "application/octet-stream"),
        )
        self.store.keep_photo(path, sha256, mime)
        return {"sha256": sha256, "size": path.stat().st_size, "mime": mime}

    def push(self, limit: int = 100) -> bool:
        """Offer the head of the outbox; True when it is empty. Heals forks and epochs by itself (P9, P21)."""
        state = self.store.state()
        ops = replica.wire(state, limit, state["next_seq"], state["head"])
        if not ops:
            return True
        request = {
            "proto": PROTO,
            "epoch": state["epoch"],
            "replica": state["replica"],
            "outbox_len": len(state["outbox"]),
            "ops": ops,
        }
        self.sent["ops"] += len(ops)
        try:
            answer = self.transport.json("POST", f"{BASE}/push", request)
        except Refused as refusal:
            return self._heal(refusal, limit)
        self.sent["dups"] += sum(1 for r in answer["results"] if r.get("dup"))
        with self.store.change() as kept:
            replica.take_acks(kept, answer["results"], answer["durable_seq"])
            kept.update(next_seq=answer["next_seq"], head=answer["head"])
            return not kept["outbox"]

    def _heal(self, refusal: Refused, limit: int) -> bool:
        if refusal.code == "too_large" and limit > 1:
            return self.push(limit // 2)
        if refusal.code not in ("replica_forked", "epoch_changed"):
            raise refusal
        step = replica.renumber if refusal.code == "replica_forked" else replica.on_epoch
        answer = self.transport.json(
            "POST",
            f"{BASE}/replicas",
            {"install_id": self.store.state()["install_id"], "nonce": secrets.token_hex(8)},
        )
        with self.store.change() as state:
            step(state, answer["replica"], answer["epoch"])
            state.update(next_seq=1, head=answer["head"])
        return False

    def pull(self, limit: int = 500) -> bool:
        """Take one page; True when the view is complete."""
        state = self.store.state()
        unacked = [k["op"] for k in state["outbox"][:MAX_UNACKED]]
        request = {"proto": PROTO, "replica": state["replica"], "cursor": state["cursor"], "resetting": list(state["resetting"]),
                   "unacked": unacked, "limit": limit}  # fmt: skip
        try:
            page = self.transport.json("POST", f"{BASE}/pull", request)
        except Refused as refusal:
            if refusal.code == "cursor_invalid":
                with self.store.change() as kept:
                    kept["cursor"] = None
                    kept["resetting"] = {
                        bucket: [] for buckets in kept["memb"].values() for bucket in buckets
                    }
                return False
            return self._heal(refusal, 0)
        with self.store.change() as kept:
            return replica.take_page(kept, page)

    def upload(self) -> int:
        """Bring every waiting photo to the server, from the byte where it stopped; returns how many still wait."""
        waiting = self.store.waiting()
        if not waiting:
            return 0
        want = [{"sha256": sha, "size": size} for sha, size, _, _ in waiting]
        there = {sha for n in range(0, len(want), 500)
                 for sha in self.transport.json("POST", f"{BASE}/blobs/query", {"want": want[n : n + 500]})["have"]}  # fmt: skip
        for sha, size, mime, url in waiting:
            if sha in there or self._send(sha, size, mime, url):
                self.store.note_done(sha)
        return len(self.store.waiting())

    def _send(self, sha: str, size: int, mime: str, url: str | None) -> bool:
        tus = {**self.transport.headers(), "Tus-Resumable": "1.0.0"}
        if url is None:
            meta = ",".join(
                f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("sha256", sha), ("mime", mime))
            )
            head = {**tus, "Upload-Length": str(size), "Upload-Metadata": meta}
            status, got, body = self.transport.raw("POST", f"{BASE}/blobs", b"", head)
            self._check(status, got, body)
            url = str(got["Location"])
            self.store.note_url(sha, url)
        status, got, body = self.transport.raw("HEAD", url, None, tus)
        self._check(status, got, body)
        offset = int(got["Upload-Offset"])
        with open(self.store.path(sha), "rb") as file:
            while offset < size:
                file.seek(offset)
                block = file.read(self._chunk_bytes)
                head = {
                    **tus,
                    "Upload-Offset": str(offset),
                    "Content-Type": "application/offset+octet-stream",
                }
                self.sent["bytes"] += len(block)
                status, got, body = self.transport.raw("PATCH", url, block, head)
                self._check(status, got, body)
                offset = int(got["Upload-Offset"])
        self.sent["photos"] += 1
        return True

    @staticmethod
    def _check(status: int, got: Any, body: bytes) -> None:
        if status in (429, 503):
            raise ServerBusy(float(got.get("Retry-After") or 5))
        if status >= 500 or status < 200:
            raise Offline(f"status {status}")
        if status >= 400:
            try:
                problem = json.loads(body or b"{}")
            except ValueError:
                problem = {}
            raise Refused(status, problem)

    def sync(
        self, tries: int = 12, wait: Callable[[float], None] = time.sleep, jitter: random.Random | None = None
    ) -> bool:
        """Ops → photos → pull, with full-jitter backoff; True when everything is over and the view complete."""
        dice = jitter or random.Random()
        for attempt in range(tries):
            try:
                while not self.push():
                    continue
                self.upload()
                while not self.pull():
                    continue
                if not self.store.waiting() and not self.store.state()["outbox"]:
                    return True
            except Offline:
                wait(dice.uniform(0, min(0.05 * 2**attempt, 5.0)))
            except ServerBusy as busy:
                wait(dice.uniform(0.1, busy.retry_after_s))
        return False

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Rows of one type in the local view."""
        return [row["data"] for key, row in self.store.state()["base"].items() if key.startswith(f"{kind}:")]

    def status(self) -> dict[str, Any]:
        """What is here and what is there, for people."""
        state = self.store.state()
        parked = [
            {"op": k["op"], "reason": k.get("reason")}
            for k in state["acked"]
            if k["status"] in ("parked", "blocked", "incident")
        ]
        return {"outbox": len(state["outbox"]), "acked": len(state["acked"]), "parked": parked, "photos_waiting": len(self.store.waiting()),
                "rows": len(state["base"]), "replica": state["replica"], "epoch": state["epoch"]}  # fmt: skip

    def close(self) -> None:
        """Close connection and database."""
        self.transport.close()
        self.store.close()
