"""The reference client: enrol, record offline, push, upload, pull. The library that tests and the field
day drive; no rule of the protocol is decided here (`replica` does), and nothing is ever deleted."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import orjson

from sync_protocol import PROTO, doubts, history, replica
from sync_protocol.client import rescuer, rounds, shown, timing
from sync_protocol.client.healing import Healer, require_epoch
from sync_protocol.client.listening import DEAD_S, Poke, pokes
from sync_protocol.client.puller import Puller
from sync_protocol.client.registration import Registration
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Offline, Refused, ServerBusy, Transport, wait_s
from sync_protocol.client.uploader import Uploader, UploadReport
from sync_protocol.identity import uuid7
from sync_protocol.limits import MAX_OP_BYTES, MAX_PAGE, UPLOAD_CHUNK_BYTES

BASE, APP = "/sync/v1", "reference/1"
# what recording and pushing touch
LOG = ("outbox", "acked", "next_seq", "head", "replica", "epoch", "told", "anchors")
LAST_MS = 2**48 - 1
SMALLER = ("too_large", "bad_frame")  # what fewer ops at a time may get around
URGENT = {"Huyuan-Urgent": "1"}


class NotEnrolled(RuntimeError):
    """This installation has no person yet: nothing can be recorded in anybody's name."""


@dataclass(frozen=True, slots=True)
class PushReport:
    """What one push came to: ops sent, outcomes taken, duplicates among them, is the outbox empty."""

    sent: int
    taken: int
    dups: int
    is_empty: bool


class FieldClient:
    """One installation, for one thread at a time. Nothing it recorded is ever deleted before the server
    says that it is durable there.

    `clock` gives aware times (evidence only, P26), `pulse` the monotonic ones; `random` gives n random
    bytes. `last_trouble` says why the last sync did not end.
    """

    def __init__(self, home: Path, base_url: str, clock: Callable[[], datetime] | None = None,
                 random: Callable[[int], bytes] = secrets.token_bytes, synchronous: str = "FULL",
                 chunk_bytes: int = UPLOAD_CHUNK_BYTES, timeout_s: float = 30.0,
                 transport: Transport | None = None, pulse: timing.Pulse | None = None) -> None:  # fmt: skip
        self.store = ClientStore(home, synchronous)
        self.transport = transport or Transport(base_url, timeout_s)
        self.transport.token = self.store.state("token").get("token", "")
        self.uploader = Uploader(self.store, self.transport, BASE, chunk_bytes)
        self.registration = Registration(self.store, self.transport, BASE, random)
        self._healer = Healer(self.store, self.registration)
        self.puller = Puller(self.store, self.transport, BASE, self._healer)
        self._chunk_bytes, self._url = chunk_bytes, base_url
        self._clock = clock or (lambda: datetime.now().astimezone())
        self._random = random
        self._pulse = pulse or timing.pulse(random)
        self.transport.mono = self._pulse.mono
        self._counts = {"ops": 0, "dups": 0}
        self.last_trouble: str | None = None

    @property
    def sent(self) -> dict[str, int]:
        """Ops, duplicates, photos and bytes sent by this process."""
        return {**self._counts, **self.uploader.sent}

    def new_id(self) -> str:
        """A UUIDv7. A clock set to before 1970 must not keep anybody from recording."""
        now_ms = int(self._clock().timestamp() * 1000)
        return uuid7(min(max(now_ms, 0), LAST_MS), self._random(10))

    def enrol(self, code: str, install_id: str | None = None, app: str = APP) -> dict[str, Any]:
        """Redeem a one-time code; returns the server's answer (`registration`). The installation's id is the
        same at every try."""
        kept = self.store.state("install_id").get("install_id")
        return self._timed(self.registration.enrol(code, install_id or kept or self.new_id(), app))

    def renew(self, code: str, app: str = APP) -> dict[str, Any]:
        """P65: enrol again with a new code of the same person, keeping everything (`registration`)."""
        return self._timed(self.registration.renew(code, app))

    def _timed(self, answer: dict[str, Any]) -> dict[str, Any]:
        with self.store.change("anchors") as state:
            self._note_time(state, answer)
        return answer

    def record(self, verb: str, ent: tuple[str, str], args: Mapping[str, Any], blobs: Sequence[Path] = (),
               base: Mapping[str, Any] | None = None, urgent: bool = False) -> str:  # fmt: skip
        """Write one op and return its id; durable on this device when it returns (P2). The photo files
        `blobs` are copied and hashed first; that they wait is written with the op, in one transaction.
        `urgent` is for danger: it is not made to wait (P84).

        Raises NotEnrolled, OSError for a photo that cannot be read, ValueError for an op larger than the server takes
        (P88: the person is still there to shorten it).
        """
        kept = [self.store.keep_photo(path) for path in blobs]
        op_id = self.new_id()
        with self.store.change("actor", "anchors", "limits", "outbox", "next_seq", "head", "replica") as state:
            _require_enrolled(state)
            at = timing.evidence(state.get("anchors", {}), self._pulse, self._clock())
            body = {
                "op": op_id, "verb": verb, "v": 1, "actor": state["actor"],
                "ent": {"t": ent[0], "id": ent[1]}, "base": base, "args": args, "blobs": kept, "at": at,
                **({"urgent": True} if urgent else {}),
            }  # fmt: skip
            written = orjson.dumps(body)
            if len(written) > (most := state.get("limits", {}).get("max_op_bytes", MAX_OP_BYTES)):
                raise ValueError(f"{len(written)} bytes: an op has at most {most}")
            replica.record(state, op_id, written.decode(), f"{ent[0]}:{ent[1]}", urgent)
            self.store.note_photos(kept)
        return op_id

    def push(self, limit: int = 100) -> PushReport:
        """Offer the head of the outbox. Heals forks and epochs by itself (P9, P21): nothing is taken then.

        Raises Offline, ServerBusy, Refused, NotEnrolled; nothing local has changed then.
        """
        state = _require_enrolled(self.store.state(*LOG))
        ops = replica.wire(state, limit)
        if not ops:
            return PushReport(0, 0, 0, True)
        is_urgent = any(kept.get("urgent") for kept in state["outbox"])
        request = {
            "proto": PROTO, "epoch": state["epoch"], "replica": state["replica"],
            "outbox_len": len(state["outbox"]), "ops": ops,
            "anchor": timing.present(state.get("anchors", {}), self._pulse.boot), "urgent": is_urgent,
        }  # fmt: skip
        self._counts["ops"] += len(ops)
        try:
            answer = self.transport.json("POST", f"{BASE}/push", request, URGENT if is_urgent else {})
        except Refused as refusal:
            if refusal.code in SMALLER:
                if len(ops) > 1:
                    return self.push(len(ops) // 2)
                self._healer.set_aside(refusal)
            else:
                self._healer.heal(refusal)
            return PushReport(len(ops), 0, 0, False)
        if self._healer.has_gone_back(state, answer, history.new_clocks(state, answer["results"])):
            return PushReport(len(ops), 0, 0, False)
        return self._take_results(answer, len(ops))

    def push_all(self) -> None:
        """Push until the outbox is empty. Raises what `push` raises."""
        while not self.push().is_empty:
            continue

    def has_urgent(self) -> bool:
        """Whether something in the outbox must not be made to wait (P84)."""
        return any(kept.get("urgent") for kept in self.store.state("outbox").get("outbox", ()))

    def outbox_len(self) -> int:
        """How many ops are not in custody yet."""
        return len(self.store.state("outbox").get("outbox", ()))

    def _take_results(self, answer: Mapping[str, Any], sent: int) -> PushReport:
        dups = sum(1 for result in answer["results"] if result.get("dup"))
        with self.store.change() as kept:
            require_epoch(kept, answer)
            self._note_time(kept, answer)
            before = len(kept["outbox"])
            replica.take_acks(kept, answer["results"], answer["durable_seq"])
            left = len(kept["outbox"])
        self._counts["dups"] += dups
        self._healer.calm()
        stopped = answer.get("stopped")
        if stopped and left:
            raise ServerBusy(wait_s(stopped.get("retry_after"), 1.0))
        if left and left == before:
            raise Offline("an answer that names none of the ops sent")
        return PushReport(sent, before - left, dups, left == 0)

    def pull(self, limit: int = MAX_PAGE) -> bool:
        """Take one page or one bundle; True when the view is complete. A page of another epoch is not taken (P21).

        Raises Offline, ServerBusy, Refused, NotEnrolled; nothing local has changed then.
        """
        state = _require_enrolled(self.store.state())
        try:
            is_over = self.puller.step(state, limit, self._take)
            if is_over:
                self._tell_differences()
            return is_over
        except Refused as refusal:
            self._healer.heal(refusal)
            return False

    def _tell_differences(self) -> None:
        """P44. A server that will not hear of it must not keep the device from syncing."""
        if doubts.to_report(self.store.state("doubts")):
            try:
                self.puller.report(self.store.state())
            except Refused as refusal:
                self.last_trouble = str(refusal)

    def _take(self, state: dict[str, Any], page: Mapping[str, Any]) -> None:
        require_epoch(state, page)
        self._note_time(state, page)
        self._healer.calm()

    def upload(self) -> UploadReport:
        """Bring every waiting photo to the server, from the byte where it stopped.

        Raises Offline, ServerBusy, Refused.
        """
        return self.uploader.run() if self.store.waiting() else UploadReport(0, {})

    def rescue(self) -> str:
        """P89: bring a copy of everything that is kept here to the server; works for a revoked device. Its SHA-256.

        Raises Offline, ServerBusy, Refused, OSError.
        """
        return rescuer.rescue(self.store.home, self.transport, BASE, self._chunk_bytes)

    def sync(self, tries: int = 12, wait: Callable[[float], None] = time.sleep, jitter: Random | None = None,
             until_quiet: bool = True, pace: rounds.Pace = rounds.QUICK) -> bool:  # fmt: skip
        """Ops → photos → pull, at most `tries` times; True when everything is over and the view complete.
        How it waits between tries is `rounds`'. Raises Refused."""
        return rounds.run(self, tries, wait, jitter or Random(), until_quiet, pace)

    def listen(self) -> Iterator[Poke | None]:
        """P91: pokes as they come (None: a sign of life), over a line of their own. Raises Offline, ServerBusy, Refused."""
        line = Transport(self._url, DEAD_S)
        line.token = self.transport.token
        yield from pokes(line, f"{BASE}/poke")

    def is_news(self, poke: Poke) -> bool:
        """Whether a poke tells of something that the view here does not hold yet. Raises NotEnrolled."""
        state = _require_enrolled(self.store.state("outbox", "epoch", "seen_clock"))
        return bool(poke.epoch != state["epoch"] or poke.clock > state["seen_clock"])

    def hello(self) -> dict[str, Any]:
        """The server's limits and time. Raises Offline, ServerBusy, Refused; nothing local has changed then."""
        answer = self.transport.json("GET", f"{BASE}/hello")
        with self.store.change("anchors", "limits") as state:
            self._note_time(state, answer)
            state["limits"] = answer["limits"]
        return answer

    def has_lost_time(self) -> bool:
        """Whether this boot has not heard the server's time yet, though an earlier one has (P81)."""
        known = self.store.state("anchors").get("anchors", {})
        return bool(known) and known["latest"]["boot"] != self._pulse.boot

    def _note_time(self, state: dict[str, Any], answer: Mapping[str, Any]) -> None:
        known, (left, heard) = state.get("anchors", {}), self.transport.span
        state["anchors"] = timing.noted(known, self._pulse.boot, left, heard, answer.get("time"))

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Rows of one type as the server last told them."""
        return shown.rows(self.store, kind)

    def pending(self, kind: str) -> dict[str, list[dict[str, Any]]]:
        """{entity id: own op bodies that its row does not show yet} (P23). Raises NotEnrolled."""
        _require_enrolled(self.store.state("outbox"))
        return shown.pending(self.store, kind)

    def status(self) -> dict[str, Any]:
        """What is here and what is there, for people. Works before enrolment too."""
        return shown.status(self.store)

    def close(self) -> None:
        """Close connection and database."""
        self.transport.close()
        self.store.close()


def _require_enrolled(state: dict[str, Any]) -> dict[str, Any]:
    if "outbox" not in state:
        raise NotEnrolled("enrol first")
    return state
