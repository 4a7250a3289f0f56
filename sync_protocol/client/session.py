"""The reference client: enrol, record offline, push, upload, pull. The library that tests and the field
day drive."""

import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from sync_protocol import PROTO, replica
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Offline, Refused, ServerBusy, Transport
from sync_protocol.client.uploader import Uploader
from sync_protocol.identity import uuid7
from sync_protocol.limits import MAX_PAGE, MAX_UNACKED, UPLOAD_CHUNK_BYTES
from sync_protocol.problems import PROBLEMS

BASE = "/sync/v1"
LOG = ("outbox", "acked", "next_seq", "head", "replica", "epoch")  # what recording and pushing touch
MIMES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".heic": "image/heic",
}


class FieldClient:
    """One installation. Nothing it recorded is ever deleted before the server says that it is durable
    there."""

    def __init__(
        self,
        home: Path,
        base_url: str,
        now: Callable[[], datetime] | None = None,
        synchronous: str = "FULL",
        chunk_bytes: int = UPLOAD_CHUNK_BYTES,
        timeout_s: float = 30.0,
        transport: Transport | None = None,
    ) -> None:
        self.store = ClientStore(home, synchronous)
        self.transport = transport or Transport(base_url, timeout_s)
        self.transport.token = self.store.state("token").get("token", "")
        self.uploader = Uploader(self.store, self.transport, BASE, chunk_bytes)
        self._now = now or (lambda: datetime.now().astimezone())
        self._boot = secrets.token_hex(4)
        self._counts = {"ops": 0, "dups": 0}

    @property
    def sent(self) -> dict[str, int]:
        """Ops, duplicates, photos and bytes sent by this process."""
        return {**self._counts, **self.uploader.sent}

    def enrol(self, code: str, install_id: str, app: str = "reference/1") -> dict[str, Any]:
        """Redeem a one-time code; returns the server's answer. An installation enrols once: what it
        holds stays."""
        if self.store.state("replica"):
            raise ValueError("this installation is enrolled already")
        answer = self.transport.json(
            "POST", f"{BASE}/enrol", {"code": code, "install_id": install_id, "app": app, "proto": PROTO}
        )
        with self.store.change() as state:
            state.update(replica.fresh(answer["replica"], answer["epoch"]))
            state.update(token=answer["token"], actor=answer["user"]["id"], install_id=install_id)
        self.transport.token = answer["token"]
        return answer

    def record(
        self,
        verb: str,
        ent: tuple[str, str],
        args: Mapping[str, Any],
        photos: Sequence[Path] = (),
        base: Mapping[str, Any] | None = None,
    ) -> str:
        """Write one op; durable on this device when it returns (P2). `photos` are copied and hashed
        first."""
        blobs = [self._keep(path) for path in photos]
        op_id = uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))
        at = {"wall": self._now().isoformat(), "mono": time.monotonic_ns() // 1_000_000, "boot": self._boot}
        with self.store.change("actor", "outbox", "next_seq", "head", "replica") as state:
            body = {
                "op": op_id,
                "verb": verb,
                "v": 1,
                "actor": state["actor"],
                "ent": {"t": ent[0], "id": ent[1]},
                "base": base,
                "args": args,
                "blobs": blobs,
                "at": at,
            }
            replica.record(state, op_id, orjson.dumps(body).decode(), f"{ent[0]}:{ent[1]}")
        return op_id

    def _keep(self, path: Path) -> dict[str, Any]:
        mime = MIMES.get(path.suffix.lower(), "application/octet-stream")
        sha256, size = self.store.keep_photo(path, mime)
        return {"sha256": sha256, "size": size, "mime": mime}

    def push(self, limit: int = 100) -> bool:
        """Offer the head of the outbox; True when it is empty. Heals forks and epochs by itself (P9,
        P21)."""
        state = self.store.state(*LOG)
        ops = replica.wire(state, limit)
        if not ops:
            return True
        request = {
            "proto": PROTO, "epoch": state["epoch"], "replica": state["replica"],
            "outbox_len": len(state["outbox"]), "ops": ops,
        }  # fmt: skip
        self._counts["ops"] += len(ops)
        try:
            answer = self.transport.json("POST", f"{BASE}/push", request)
        except Refused as refusal:
            if refusal.code in ("too_large", "bad_frame") and len(ops) > 1:
                return self.push(len(ops) // 2)
            return self._heal(refusal)
        if answer["epoch"] != state["epoch"]:
            raise Offline("an answer of another epoch than the one asked")
        self._counts["dups"] += sum(1 for r in answer["results"] if r.get("dup"))
        with self.store.change() as kept:
            replica.take_acks(kept, answer["results"], answer["durable_seq"])
            is_empty = not kept["outbox"]
        if answer["stopped"] and not is_empty:
            raise ServerBusy(float(answer["stopped"].get("retry_after") or 1))
        return is_empty

    def _heal(self, refusal: Refused) -> bool:
        """Do what the problem code asks for; False: ask again. Raises the refusal where only a person
        can help."""
        if refusal.code == "replica_forked":
            self._register(replica.renumber)
        elif refusal.code == "epoch_changed":
            self._register(replica.on_epoch)
            self.store.ask_again()
        elif refusal.code == "cursor_invalid":
            with self.store.change() as state:
                replica.start_over(state)
        elif refusal.code in PROBLEMS and PROBLEMS[refusal.code].reaction == "wait":
            raise ServerBusy(float(refusal.problem.get("retry_after") or 1)) from refusal
        else:
            raise refusal
        return False

    def _register(self, step: Callable[[replica.State, str, str], None]) -> None:
        """A new replica identity. The nonce is kept until the answer has arrived, so a lost one costs
        nothing (P9)."""
        with self.store.change("install_id", "nonce") as state:
            state["nonce"] = state.get("nonce") or secrets.token_hex(8)
            request = {"install_id": state["install_id"], "nonce": state["nonce"]}
        answer = self.transport.json("POST", f"{BASE}/replicas", request)
        with self.store.change() as state:
            step(state, answer["replica"], answer["epoch"])
            state["nonce"] = None

    def pull(self, limit: int = MAX_PAGE) -> bool:
        """Take one page; True when the view is complete. A page of another epoch is not taken (P21)."""
        state = self.store.state()
        request = {
            "proto": PROTO,
            "replica": state["replica"],
            "cursor": state["cursor"],
            "resetting": replica.resetting(state),
            "unacked": replica.unacked(state, MAX_UNACKED),
            "limit": limit,
        }
        try:
            page = self.transport.json("POST", f"{BASE}/pull", request)
        except Refused as refusal:
            return self._heal(refusal)
        if page["epoch"] != state["epoch"]:
            return self._heal(Refused(409, {"code": "epoch_changed", "epoch": page["epoch"]}))
        with self.store.change() as kept:
            return replica.take_page(kept, page)

    def upload(self) -> int:
        """Bring every waiting photo to the server, from the byte where it stopped; returns how many
        still wait."""
        return self.uploader.run() if self.store.waiting() else 0

    def sync(
        self, tries: int = 12, wait: Callable[[float], None] = time.sleep, jitter: random.Random | None = None
    ) -> bool:
        """Ops → photos → pull, with full-jitter backoff; True when everything is over and the view
        complete."""
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
            if k["status"] in replica.ATTENTION
        ]
        return {
            "outbox": len(state["outbox"]), "acked": len(state["acked"]), "parked": parked,
            "photos_waiting": len(self.store.waiting()), "rows": len(state["base"]),
            "replica": state["replica"], "epoch": state["epoch"],
        }  # fmt: skip

    def close(self) -> None:
        """Close connection and database."""
        self.transport.close()
        self.store.close()
