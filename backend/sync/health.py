"""Sync health: who is silent, what devices still hold, what fails (PROTOCOL.md P90; the blind-spot board). Reads only.

A fixed number of statements, however many devices there are. What is told of a silent device is what was last known of
it: what it has recorded since then nobody here can know, which is why silence itself is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import queries as accounts
from backend.accounts.grants import GRACE_DAYS
from backend.accounts.models import Device
from backend.database import from_ms
from backend.ops import queries as log
from backend.sync.models import DeviceContact, Replica

Row = dict[str, Any]
MOST_TOLD = 500  # silent devices that a publication names
SHOWN: Mapping[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "silent": lambda row: row["is_silent"],
    "holding": lambda row: row["unsynced_since"] is not None,
    "failing": lambda row: row["is_failing"],
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record of one device: its person, replicas, contacts; ops held and photos awaited as (count, oldest)."""

    device: Device
    person: Any
    replicas: Sequence[Replica]
    contact: DeviceContact | None
    parked: Sequence[tuple[int, datetime]]
    awaited: Sequence[tuple[int, datetime]]


def board(session: Session, actor: Actor, now: datetime, silent_after_s: float, show: str, limit: int) -> Row:
    """The answer to GET /v1/sync-health: totals of all devices in the actor's scope, and those that are to be shown,
    the most worrying first."""
    people = {row.id: row for row in accounts.overseen(session, actor, now - timedelta(days=GRACE_DAYS))}
    known = _known(session, people)
    rows = [row_of(each, now, silent_after_s) for each in known]
    rows = [row for row in rows if not row["is_revoked"] or row["unsynced_since"] is not None]
    shown = sorted((row for row in rows if SHOWN[show](row)), key=_worry)
    without = people.keys() - {each.device.user_id for each in known}
    codes = accounts.open_codes(session, sorted(without))
    waiting = [
        {"person": _person(people[who]), "code_expires_at": _at(until), "is_over": until <= now}
        for who, until in sorted(codes.items())
    ]
    return {
        "now": now.isoformat(), "silent_after_s": silent_after_s, "totals": totals(rows, now),
        "devices": shown[:limit], "more": max(len(shown) - limit, 0), "not_enrolled": waiting,
    }  # fmt: skip


def silence(session: Session, now: datetime) -> Row:
    """What a published ledger says of devices: how many there are and are silent, and of each silent one what is known of it."""
    silent_after_s = current_app.extensions["config"].silent_after_s
    found = board(session, SYSTEM, now, silent_after_s, "silent", MOST_TOLD)
    same = ("device", "silent_since", "held_ops", "held_told_at", "photos_missing")
    told = [{**{name: row[name] for name in same}, "person": row["person"]["id"]} for row in found["devices"]]
    counts = {name: found["totals"][name] for name in ("devices", "silent", "holding", "held_ops", "photos_missing")}
    return {**counts, "silent_devices": told, "more": found["more"]}


def _known(session: Session, people: Mapping[str, Any]) -> list[Known]:
    """A phone that enrolled again is one device, the latest; what it brought under its former names is its."""
    devices = accounts.devices_of(session, list(people))
    latest = {(device.user_id, device.install_id): device for device in devices}
    ids = {device.id: latest[device.user_id, device.install_id].id for device in devices}
    replicas = session.scalars(visible(Replica, SYSTEM).where(Replica.user_id.in_(people)).order_by(Replica.id)).all()
    contacts = session.scalars(visible(DeviceContact, SYSTEM).where(DeviceContact.device_id.in_(ids))).all()
    parked, awaited = log.held_by_replica(session, list(people)), log.awaited_by_replica(session)
    by_device: dict[str, list[Replica]] = {}
    for replica in replicas:
        by_device.setdefault(ids.get(replica.device_id, ""), []).append(replica)
    heard = {contact.device_id: contact for contact in contacts}
    found = []
    for device in latest.values():
        own = by_device.get(device.id, [])
        brought = [[books[r.id] for r in own if r.id in books] for books in (parked, awaited)]
        found.append(Known(device, people[device.user_id], own, heard.get(device.id), *brought))
    return found


def row_of(known: Known, now: datetime, silent_after_s: float) -> Row:
    """One device as the board tells it."""
    device, contact = known.device, known.contact
    seen = _latest(
        [device.enrolled_at, contact.seen_at if contact else None, *(r.last_seen_at for r in known.replicas)]
    )
    assert seen is not None
    is_silent = not device.is_revoked and (now - seen).total_seconds() > silent_after_s
    held, held_at, held_since = _held(known)
    complete, failures = contact.complete_at if contact else None, contact.failures if contact else {}
    since = [held_since, *(at for _, at in known.awaited)]
    return {
        "device": device.id, "person": _person(known.person), "app": device.app, "is_revoked": device.is_revoked,
        "proto": contact.proto if contact else None, "schema": contact.schema if contact else None,
        "enrolled_at": _at(device.enrolled_at), "last_seen_at": _at(seen),
        "last_push_at": _at(_latest([r.pushed_at for r in known.replicas])),
        "last_pull_at": _at(contact.pulled_at if contact else None), "complete_pull_at": _at(complete),
        "complete_pull_age_s": _age_s(complete, now), "complete_pull_clock": contact.complete_clock if contact else None,
        "held_ops": held, "held_told_at": _at(held_at), "photos_missing": sum(n for n, _ in known.awaited),
        "unsynced_since": _at(min(filter(None, since), default=None)), "attention": sum(n for n, _ in known.parked),
        "attention_since": _at(min((at for _, at in known.parked), default=None)),
        "failures": {stage: {"code": f["code"], "at": _at(from_ms(f["at_ms"])), "count": f["count"]} for stage, f in failures.items()},
        "is_failing": any(f["count"] > 0 for f in failures.values()),
        "is_silent": is_silent, "silent_since": _at(seen) if is_silent else None,
    }  # fmt: skip


def _held(known: Known) -> tuple[int | None, datetime | None, datetime | None]:
    """How many ops the device said that it holds, when it said so, and since when it has held some; the last word counts."""
    said = [(r.pushed_at, r.outbox_len, r.held_since) for r in known.replicas if r.pushed_at]
    if known.contact and known.contact.held_at is not None:
        said.append((known.contact.held_at, known.contact.held or 0, known.contact.held_since))
    if not said:
        return None, None, None
    at, held, since = max(said, key=lambda word: word[0])
    return held, at, min((s for _, _, s in said if s), default=since) if held else None


def totals(rows: Sequence[Row], now: datetime) -> Row:
    """Sums over devices as `row_of` tells them."""
    oldest = min(filter(None, (row["unsynced_since"] for row in rows)), default=None)
    return {
        "devices": len(rows), **{name: sum(map(SHOWN[name], rows)) for name in ("silent", "holding", "failing")},
        "never_complete": sum(row["complete_pull_at"] is None for row in rows),
        **{name: sum(row[name] or 0 for row in rows) for name in ("held_ops", "photos_missing", "attention")},
        "unsynced_since": oldest, "oldest_unsynced_age_s": _age_s(oldest and datetime.fromisoformat(oldest), now),
    }  # fmt: skip


def _worry(row: Row) -> tuple[Any, ...]:
    return (
        not row["is_silent"],
        row["unsynced_since"] is None,
        not row["is_failing"],
        row["last_seen_at"],
        row["device"],
    )


def _person(person: Any) -> Row:
    return {"id": person.id, "name": person.name, "role": person.role, "is_active": person.is_active}


def _latest(moments: Sequence[datetime | None]) -> datetime | None:
    return max(filter(None, moments), default=None)


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    return round(max((now - moment).total_seconds(), 0.0), 3) if moment else None
