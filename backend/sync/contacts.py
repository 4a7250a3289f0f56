"""When each device was last heard of and how that went, for those who look after devices (PROTOCOL.md P90). Bookkeeping
only: nothing here is ever asked before anything is decided, and no request waits for it.

Theory. A write for each request would cost an fsync each, most of them just when everybody comes. So a process notes in
memory, under the hash of the token that came (also of requests that were sent away before anything was looked up), and
writes all notes together in one transaction at most every KEEP_S seconds. A process that is killed forgets no more than
that. What a push says of itself is written within the push, with the row that it changes anyway (push.py).
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy import Table, or_
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.accounts.models import Device, EnrolCode
from backend.accounts.tokens import digest
from backend.bulk import insert_many
from backend.database import to_ms, transaction
from backend.now import now_utc
from backend.sync.models import DeviceContact
from sync_protocol.limits import MAX_V as MOST_V

log = structlog.get_logger(__name__)
STAGES = ("enrol", "push", "upload", "pull")
# endpoint → stage; of the other doors of a device only that it came
STAGE_OF: Mapping[str, str] = {
    "sync.enrol": "enrol", "sync.replicas": "enrol", "sync.push": "push",
    "uploads.query": "upload", "uploads.create": "upload", "uploads.head": "upload", "uploads.patch": "upload",
    "sync.pull": "pull", "downloads.bundle": "pull", "downloads.digest": "pull",
}  # fmt: skip
KEEP_S = 30.0
MOST = 5_000  # devices in memory; beyond, nobody is noted until the next writing
_TABLE: Table = DeviceContact.__table__  # type: ignore[assignment]
_NAMES = ("seen_at", "pulled_at", "complete_at", "complete_clock", "held", "held_at", "held_since", "proto", "schema")
_LATEST = f"(device_id) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in (*_NAMES, 'failures'))}"
Key = tuple[str, str]  # ("token" or "code", its hash)


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of one device's contacts; None: nothing. `failures` as in DeviceContact; one that `is_anew` counts
    from the last time that its stage went well, which is part of this note. So does `held_since` where it `was_empty`."""

    seen_at: datetime
    pulled_at: datetime | None = None
    complete_at: datetime | None = None
    complete_clock: int | None = None
    held: int | None = None
    held_at: datetime | None = None
    held_since: datetime | None = None
    proto: int | None = None
    schema: int | None = None
    failures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    was_empty: bool = False

    def then(self, later: "Note") -> "Note":
        """This note and one that came after it, as one."""
        said = {name: value for name in _NAMES if (value := getattr(later, name)) is not None}
        if later.held is not None:
            said["held_since"] = later.held_since if later.was_empty else self.held_since or later.held_since
            said["was_empty"] = self.was_empty or later.was_empty
        stages = {stage: _joined(self.failures.get(stage), found) for stage, found in later.failures.items()}
        return replace(self, **said, failures={**self.failures, **stages})


def _joined(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Mapping[str, Any]:
    before = before or {"code": None, "at_ms": None, "count": 0}
    is_told = after["code"] is not None
    return {
        "code": after["code"] if is_told else before["code"],
        "at_ms": after["at_ms"] if is_told else before["at_ms"],
        "count": after["count"] + (0 if after.get("is_anew") else before["count"]),
        "is_anew": bool(after.get("is_anew") or before.get("is_anew")),
    }


class Contacts:
    """The notes of one server process that are not written yet."""

    def __init__(self, app: Flask, keep_s: float = KEEP_S) -> None:
        self._app, self._keep_s = app, keep_s
        self._mutex, self._notes = threading.Lock(), dict[Key, Note]()
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def note(self, key: Key, note: Note) -> None:
        """Remember, and see to it that it is written within `keep_s` seconds."""
        with self._mutex:
            known = self._notes.get(key)
            if self._is_closed or (known is None and len(self._notes) >= MOST):
                return
            self._notes[key] = known.then(note) if known else note
            if self._timer is None:
                self._timer = threading.Timer(self._keep_s, self.write)
                self._timer.name, self._timer.daemon = "huyuan-contacts", True
                self._timer.start()

    def write(self) -> None:
        """Write what was noted. Trouble of the database is logged, and what was noted waits for the next time."""
        with self._mutex:
            taken, self._notes = self._notes, {}
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not taken:
            return
        try:
            with self._app.app_context(), transaction() as session:
                _write(session, taken)
        except Exception as trouble:  # nobody waits for this, and nothing hangs on it
            log.warning("contacts_not_written", error=repr(trouble)[:200])
            for key, note in taken.items():
                self._put_back(key, note)

    def _put_back(self, key: Key, note: Note) -> None:
        with self._mutex:
            newer = self._notes.get(key)
            self._notes[key] = note.then(newer) if newer else note

    def close(self) -> None:
        """Write what is left; nothing is noted after that."""
        with self._mutex:
            self._is_closed = True
        self.write()


def register(app: Flask) -> None:
    """Have every answer to a device noted."""
    app.extensions["contacts"] = found = Contacts(app)
    app.extensions.setdefault("closers", []).append(found.close)
    app.after_request(_note)


def written() -> None:
    """Write what this process has noted, so that it can be read."""
    found: Contacts = current_app.extensions["contacts"]
    found.write()


def tell(**facts: Any) -> None:
    """What the request under way has said of its device: code; clock (of a complete page), outbox_len, proto, schema."""
    g.told = facts


def _note(response: Response) -> Response:
    told, stage = g.get("told", {}), STAGE_OF.get(request.endpoint or "")
    key = _key(told.get("code") if stage == "enrol" else None)
    fault = _fault(response)
    if key is not None and fault != "unauthenticated":
        now = now_utc()
        note = Note(now, failures={stage: _outcome(fault, now)} if stage else {})
        if request.endpoint == "sync.pull" and fault is None:
            note = replace(note, **_of_pull(told, now))
        current_app.extensions["contacts"].note(key, note)
    return response


def _key(code: str | None) -> Key | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.startswith("hy_dev_"):
        return ("token", digest(token))
    return ("code", digest(code.strip().upper())) if code else None


def _fault(response: Response) -> str | None:
    """The code of a refusal, None where it went well."""
    if response.status_code < 400:
        return None
    found = orjson.loads(response.get_data()) if response.mimetype == "application/problem+json" else {}
    return str(found.get("code", response.status_code))


def _outcome(fault: str | None, now: datetime) -> Mapping[str, Any]:
    if fault is None:
        return {"code": None, "at_ms": None, "count": 0, "is_anew": True}
    return {"code": fault, "at_ms": to_ms(now), "count": 1}


def _of_pull(told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    said = {"pulled_at": now, **{name: max(0, min(told[name], MOST_V)) for name in ("proto", "schema")}}
    if told["clock"] is not None:
        said |= {"complete_at": now, "complete_clock": told["clock"]}
    if told["outbox_len"] is not None:
        said |= {"held": told["outbox_len"], "held_at": now, "held_since": now if told["outbox_len"] else None}
        said["was_empty"] = told["outbox_len"] == 0
    return said


def _write(session: Session, notes: Mapping[Key, Note]) -> None:
    """One row a device, joined with what it says already; whose token or code is of no device is forgotten."""
    found: dict[str, Note] = {}
    for device, note in _by_device(session, notes):
        found[device] = found[device].then(note) if device in found else note
    held = visible(DeviceContact, SYSTEM).where(DeviceContact.device_id.in_(found)).order_by(DeviceContact.device_id)
    for row in session.scalars(held.with_for_update()):
        before = Note(**{name: getattr(row, name) for name in (*_NAMES, "failures")})
        found[row.device_id] = before.then(found[row.device_id])
    rows = [
        {"device_id": device, "failures": _kept(note.failures), **{name: getattr(note, name) for name in _NAMES}}
        for device, note in sorted(found.items())
    ]
    insert_many(session.connection(), _TABLE, rows, _LATEST)


def _kept(failures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Without the stages that have never failed."""
    members = ("code", "at_ms", "count")
    return {stage: {n: found[n] for n in members} for stage, found in failures.items() if found["code"] is not None}


def _by_device(session: Session, notes: Mapping[Key, Note]) -> Iterable[tuple[str, Note]]:
    hashes = [name for kind, name in notes if kind == "token"]
    its = or_(Device.token_hash.in_(hashes), Device.former_hash.in_(hashes))
    columns = (Device.id, Device.token_hash, Device.former_hash)
    for device, *names in session.execute(visible(Device, SYSTEM).with_only_columns(*columns).where(its)).all():
        yield from ((device, notes["token", name]) for name in names if name and ("token", name) in notes)
    codes = [name for kind, name in notes if kind == "code"]
    used = visible(EnrolCode, SYSTEM).with_only_columns(EnrolCode.device_id, EnrolCode.code_hash)
    where = (EnrolCode.code_hash.in_(codes), EnrolCode.device_id.is_not(None))
    for device_id, code in session.execute(used.where(*where)).all():
        yield str(device_id), notes["code", code]
