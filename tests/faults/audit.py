"""What must be true of a place after any fault, seen past the server. `faults_of` returns what is wrong; nothing is
mended here, and nothing is asked of the server's own `verify`."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM
from backend.database import CommitClock, snapshot
from backend.feed.models import FeedRow
from backend.inspections.models import Inspection
from backend.journal import book
from backend.journal.models import JournalEntry
from backend.ops.models import Job, LoggedOp
from backend.photos import queries as photos
from backend.photos.models import Photo, Upload
from backend.photos.pipeline import SCRATCH
from backend.problems.models import ProblemReport
from backend.sync.models import Replica
from sync_protocol.identity import GENESIS, chain_head, fingerprint
from tests.faults.rig import Place, Server

Acks = Mapping[str, Mapping[str, Any]]
NEVER = (
    '"unhandled"',
    '"handler_error"',
    '"worker_trouble"',
    "Traceback",
)  # what no fault may bring out of the server


def faults_of(place: Place, acks: Acks, photo_shas: set[str] = frozenset()) -> list[str]:
    """Everything that is wrong: acknowledged but not stored, twice, broken chains, false bytes, orphans."""
    with place.app(), snapshot() as session:
        found = [*_acks(session, acks), *_once(session), *_chains(session), *_books(session)]
        found += [*_photos(session, place.folder / "photos", photo_shas), *_orphans(session, place)]
    if place.is_sqlite:
        with sqlite3.connect(place.folder / "huyuan.db") as line:
            found += [f"integrity_check: {row[0]}" for row in line.execute("PRAGMA integrity_check") if row[0] != "ok"]
            found += [f"foreign key: {row}" for row in line.execute("PRAGMA foreign_key_check")]
        line.close()
    return found


def words_of(server: Server, *allowed: str) -> list[str]:
    """Lines of the server's log that no fault may bring out, but for `allowed` ones."""
    lines = [line for line in server.said().splitlines() if any(word in line for word in NEVER)]
    return [line for line in lines if not any(word in line for word in allowed)]


def state_hash(place: Place) -> str:
    """One hash over everything that is told to anybody: the log, the feed, the journal, the record."""
    digest = hashlib.sha256()
    with place.app(), snapshot() as session:
        for model in (LoggedOp, FeedRow, JournalEntry, Inspection, ProblemReport, Photo, CommitClock):
            table = model.__table__
            for row in session.execute(select(table).order_by(*table.primary_key.columns)):
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def _acks(session: Session, acks: Acks) -> Iterator[str]:
    """I1, I6: what was acknowledged is stored, with the outcome that was told."""
    stored = {row.op_id: row for row in session.execute(select(LoggedOp.op_id, LoggedOp.status, LoggedOp.clock))}
    for op, told in acks.items():
        row = stored.get(op)
        if row is None:
            yield f"acknowledged and not stored: {op}"
        elif (row.status, row.clock) != (told["status"], told["clock"]):
            yield f"told {told['status']}@{told['clock']}, stored {row.status}@{row.clock}: {op}"


def _once(session: Session) -> Iterator[str]:
    """I2: no op has two effects, and none that was applied has none."""
    applied = {
        op for op, verb, status in session.execute(select(LoggedOp.op_id, LoggedOp.verb, LoggedOp.status))
        if verb == "inspection.submit" and status == "applied"
    }  # fmt: skip
    made = Counter(session.scalars(select(Inspection.op_id)))
    yield from (f"{n} inspections of one op {op}" for op, n in made.items() if n > 1)
    yield from (f"applied without effect: {op}" for op in applied - set(made))
    yield from (f"effect without an applied op: {op}" for op in set(made) - applied)


def _chains(session: Session) -> Iterator[str]:
    """I5, I12: at most one op per number, an unbroken chain, bodies as their fingerprints say.

    A number without a row is an op known already when it was offered again (P8): the chain cannot be followed there.
    """
    rows: dict[str, list[Any]] = {}
    for row in session.execute(select(LoggedOp).order_by(LoggedOp.seq)).scalars():
        if fingerprint(row.body) != row.fp:
            yield f"body and fingerprint differ: {row.op_id}"
        if row.replica:
            rows.setdefault(row.replica, []).append(row)
    for replica in session.scalars(select(Replica)):
        mine = rows.get(replica.id, [])
        if [row.seq for row in mine] != sorted({row.seq for row in mine}):
            yield f"a number twice in {replica.id}"
        if mine and mine[-1].seq >= replica.next_seq:
            yield f"{replica.id} holds {mine[-1].seq} and expects {replica.next_seq}"
        if [row.seq for row in mine] == list(range(1, replica.next_seq)):
            head = GENESIS
            for row in mine:
                head = chain_head(head, replica.id, row.seq, row.fp)
            if head != replica.head:
                yield f"the chain of {replica.id} does not lead to its head"


def _books(session: Session) -> Iterator[str]:
    """I7: nothing stands beyond the clock; the journal is whole and has each op of the log once."""
    clock = session.scalar(select(CommitClock.v)) or 0
    for model in (LoggedOp, FeedRow):
        beyond = session.scalars(select(model.clock).where(model.clock > clock)).all()
        yield from (f"{model.__tablename__} beyond the clock: {at}" for at in beyond)
    yield from (f"journal {n}: {reason}" for n, reason in book.verify(session))
    noted = Counter(session.scalars(select(JournalEntry.op_id)))
    logged = set(session.scalars(select(LoggedOp.op_id)))
    yield from (f"in the journal {n} times: {op}" for op, n in noted.items() if n > 1)
    yield from (f"in the log and not in the journal, or the reverse: {op}" for op in set(noted) ^ logged)


def _photos(session: Session, folder: Path, shas: set[str]) -> Iterator[str]:
    """I19: what is called verified hashes to its name; every photo that was acknowledged is here."""
    here = photos.verified(session, SYSTEM, sorted(shas))
    yield from (f"acknowledged photo not verified: {sha}" for sha in shas - here)
    for photo in session.scalars(select(Photo).where(Photo.state.in_(photos.HERE))):
        path = folder / photo.sha256[:2] / photo.sha256
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != photo.sha256:
            yield f"verified, and its bytes are not: {photo.sha256}"
    for upload in session.scalars(select(Upload).where(Upload.done_at.is_(None))):
        part = folder / "incoming" / upload.id
        size = part.stat().st_size if part.exists() else 0
        if size < upload.offset and not (folder / upload.sha256[:2] / upload.sha256).exists():
            yield f"offset {upload.offset} said, {size} bytes here: {upload.id}"


def _orphans(session: Session, place: Place) -> Iterator[str]:
    """No file that nobody names, no row without its cause."""
    uploads = set(session.scalars(select(Upload.id)))
    known = set(session.scalars(select(Photo.sha256))) | set(session.scalars(select(Upload.sha256)))
    for path in (place.folder / "photos").glob("*/*"):
        if path.parent.name == "incoming":
            if path.name not in uploads:
                yield f"bytes of no upload: {path.name}"
        elif path.name.removesuffix(".d") not in known and not path.name.startswith(SCRATCH):
            yield f"a file of no photo: {path.name}"
    for job in session.scalars(select(Job)):
        if job.key.startswith("photo.derive:") and job.key.split(":")[1] not in known:
            yield f"a job of no photo: {job.key}"
