"""Taking ops into custody, chunk by chunk (PROTOCOL.md P5–P13). Transport decisions only; what an op does is ops'."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import insert
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.config import Config
from backend.database import lock, snapshot
from backend.errors import Problem
from backend.faults import passing
from backend.feed.log import meta
from backend.ops.apply import apply, prepare
from backend.ops.custody import known_outcomes, outcomes_at
from backend.ops.op import Outcome, framed_op, touched
from backend.sync import admission, queries, times
from backend.sync.models import Replica, ReplicaStep
from backend.sync.turns import Turns
from backend.trouble import problem_of
from sync_protocol.envelope import BadFrame, Framed, heads, read
from sync_protocol.evidence import Witness
from sync_protocol.limits import CHUNK_OPS
from sync_protocol.ordering import Forked, Head, take

log = structlog.get_logger(__name__)
turns = Turns()
NEVER = datetime.min.replace(tzinfo=UTC)
SEEN_AGAIN = timedelta(minutes=1)  # a device that was seen so lately is not noted as seen once more


def receive(request: Mapping[str, Any], actor: Actor, now: datetime, config: Config) -> dict[str, Any]:
    """The answer to POST /push. Results are given only after their chunk is committed (I6).

    Raises Problem bad_frame, too_large, epoch_changed, replica_forked, replica_revoked, busy.
    """
    try:
        ops = heads(request.get("ops"))
        replica_id, epoch = _name(request["replica"]), request["epoch"]
    except (BadFrame, KeyError, TypeError) as fault:
        raise Problem("bad_frame", str(fault)) from fault
    _check_limits(ops, config)
    witness = times.witness(config, now, request.get("anchor"))
    asked = _Asked(replica_id, epoch, actor, now, request.get("outbox_len", 0), witness)
    answer: dict[str, Any] = {"results": [], "stopped": None}
    end = time.monotonic() + config.push_seconds
    with turns.hold(replica_id), admission.working(is_urgent=request.get("urgent") is True):
        told = _told_again(ops, asked) if turns.may_know(replica_id, ops) else None
        if told is None:
            _take_chunks(_chunks([read(op) for op in ops]) or [[]], asked, answer, end)
    return told or answer


@dataclass(frozen=True, slots=True)
class _Asked:
    """What all chunks of one push have in common."""

    replica_id: str
    epoch: Any
    actor: Actor
    now: datetime
    outbox_len: Any
    witness: Witness


def _take_chunks(chunks: Sequence[Sequence[Framed]], asked: _Asked, answer: dict[str, Any], end: float) -> None:
    """Chunk by chunk; trouble in a later one, or the `end` of its time, ends the answer there, and what was committed
    is told (P87)."""
    for chunk in chunks:
        if answer["results"] and time.monotonic() > end:
            answer["stopped"] = {"at_seq": chunk[0].seq, "reason": "time", "retry_after": 1}
            break
        try:
            _take_chunk(chunk, asked, answer)
            passing("push.chunk_done")
        except Exception as trouble:
            told = problem_of(trouble)
            if told is None or not answer["results"]:
                raise
            log.warning("push_stopped", error=repr(trouble)[:200])
            stopped = {"at_seq": chunk[0].seq, "reason": "busy", "retry_after": told.retry_after_s}
            answer["stopped"] = stopped
            break


def _check_limits(ops: Sequence[Framed], config: Config) -> None:
    limits = {"max_ops": config.max_ops, "max_op_bytes": config.max_op_bytes}
    if len(ops) > config.max_ops:
        raise Problem(
            "too_large",
            f"{len(ops)} ops in one push; send at most {config.max_ops}",
            extra={"limits": limits},
        )
    if any(_is_longer(op.body, config.max_op_bytes) for op in ops):
        raise Problem("too_large", f"an op is larger than {config.max_op_bytes} bytes", extra={"limits": limits})


def _is_longer(body: str, limit_bytes: int) -> bool:
    """Whether a text is longer in UTF-8, where a character has at most four bytes."""
    return len(body) * 4 > limit_bytes and len(body.encode()) > limit_bytes


def _chunks(ops: Sequence[Framed]) -> list[list[Framed]]:
    """Lots of about CHUNK_OPS; the ops of one txn are never parted (P32)."""
    chunks: list[list[Framed]] = []
    for _, group in groupby(ops, key=lambda op: op.txn or op.id):
        together = list(group)
        if not chunks or len(chunks[-1]) + len(together) > CHUNK_OPS:
            chunks.append([])
        chunks[-1] += together
    return chunks


def _take_chunk(chunk: Sequence[Framed], asked: _Asked, answer: dict[str, Any]) -> None:
    left = max(_count(asked.outbox_len) - len(answer["results"]) - len(chunk), 0)  # what it holds after this chunk
    now, replica_id = asked.now, asked.replica_id

    def work(session: Session) -> tuple[dict[str, Any], list[Outcome]]:
        server, head, held_since = _stand(session, asked)
        passing("push.begun")
        stand = {"epoch": server.epoch, "durable_seq": server.durable_clock}
        lock(session, {key for op in chunk for key in touched(op)})
        outcomes = _apply_chunk(session, chunk, head, asked.actor, now)
        moved = {"next_seq": head.next_seq, "head": head.head}
        said = {
            "last_seen_at": now,
            "pushed_at": now,
            "outbox_len": left,
            "held_since": (held_since or now) if left else None,
        }
        rows.change(session, Replica, {"id": head.replica}, {**moved, **said})
        return stand | moved, outcomes

    for op in chunk:
        op.recorded = asked.witness.recorded(op.at)
    stand, outcomes = rows.run(work)
    turns.reach(replica_id, stand["next_seq"])
    answer.update(stand)
    first = {outcome.op_id: n for n, outcome in reversed(list(enumerate(outcomes)))}
    answer["results"] += [
        _result(op, outcome, outcome.is_dup or first[outcome.op_id] != n)
        for n, (op, outcome) in enumerate(zip(chunk, outcomes, strict=True))
    ]


def _told_again(ops: Sequence[Framed], asked: _Asked) -> dict[str, Any] | None:
    """P7, I20: the answer to a push of which every op is in custody, and which moves nothing: read from one snapshot, without a
    turn at writing and without reading the bodies again. None where there is anything to write or to refuse."""
    left = max(_count(asked.outbox_len) - len(ops), 0)
    with snapshot() as session:
        replica = queries.replica_of(session, asked.actor, asked.replica_id, is_locked=False)
        if replica is None or max(op.seq for op in ops) >= replica.next_seq:
            return None
        is_noted = replica.outbox_len == left and abs(asked.now - (replica.last_seen_at or NEVER)) < SEEN_AGAIN
        server = meta(session, asked.actor)
        if replica.status != "active" or asked.epoch != server.epoch or not is_noted:
            return None
        outcomes = _known_already(session, ops, replica.id)
        if outcomes is None:
            return None
        results = [_result(op, outcome, True) for op, outcome in zip(ops, outcomes, strict=True)]
        return {
            "results": results, "stopped": None, "epoch": server.epoch, "durable_seq": server.durable_clock,
            "next_seq": replica.next_seq, "head": replica.head,
        }  # fmt: skip


def _known_already(session: Session, ops: Sequence[Framed], replica_id: str) -> list[Outcome] | None:
    """What became of ops that are all in custody, found by their places, or by their ids where another replica brought them
    first. None where one is not, or is another under the same name."""
    known: dict[Any, tuple[str, Outcome]] = {**outcomes_at(session, replica_id, [op.seq for op in ops])}
    if elsewhere := [read(op) for op in ops if op.seq not in known]:
        by_id = known_outcomes(session, [op.id for op in elsewhere])
        known |= {op.seq: by_id[op.id] for op in elsewhere if op.id in by_id}
    is_known = all(op.seq in known and known[op.seq][0] == op.fp for op in ops)
    return [known[op.seq][1] for op in ops] if is_known else None


def _stand(session: Session, asked: _Asked) -> tuple[Any, Head, datetime | None]:
    """This server's history, where the replica stands in it, and since when it has held something back (plain: an op that
    fails makes the session forget objects).
    Raises Problem epoch_changed, replica_forked, replica_revoked."""
    server = meta(session, asked.actor)
    if asked.epoch != server.epoch:
        raise Problem("epoch_changed", extra={"epoch": server.epoch})
    replica = queries.replica_of(session, asked.actor, asked.replica_id)
    if replica is None or replica.status != "active":
        code = "replica_forked" if replica is None else "replica_revoked"
        raise Problem(code, extra={"next_seq": 1, "head": "0" * 64})
    return server, Head(replica.id, replica.next_seq, replica.head), replica.held_since


def _name(replica: Any) -> str:
    if not isinstance(replica, str) or not 0 < len(replica) <= 64 or "\0" in replica:
        raise BadFrame("replica is the name of a replica")
    return replica


def _count(outbox_len: Any) -> int:
    """What the device says is waiting; a number that cannot be meant is none."""
    is_count = isinstance(outbox_len, int) and not isinstance(outbox_len, bool) and 0 <= outbox_len < 2**31
    return outbox_len if is_count else 0


def _apply_chunk(session: Session, chunk: Sequence[Framed], head: Head, actor: Actor, now: datetime) -> list[Outcome]:
    known = known_outcomes(session, [op.id for op in chunk])
    begin = {"next_seq": head.next_seq, "head": head.head}
    ops = [framed_op(framed, actor.id, actor.id, head.replica, now) for framed in chunk]
    prepare(session, [op for op in ops if op.id not in known and op.fault is None])
    told = {name: fp for name, (fp, _) in known.items()}
    outcomes: list[Outcome] = []
    steps: list[dict[str, Any]] = []
    for _, group in groupby(zip(chunk, ops, strict=True), key=lambda pair: pair[1].txn or pair[1].id):
        together = []
        for framed, op in group:
            steps += _extend(head, framed, told.get(op.id), begin)
            told.setdefault(op.id, op.fp)
            together.append(op)
        outcomes += apply(session, together, actor, now, known)
        for op, outcome in zip(together, outcomes[-len(together) :], strict=True):
            known.setdefault(op.id, (op.fp, outcome))
    if steps:
        session.execute(insert(ReplicaStep), steps)
    return outcomes


def _extend(head: Head, framed: Framed, known_fp: str | None, begin: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Move the head on; what moves it without a row in the op log (a duplicate, an incident) is a step to be kept."""
    at = head.next_seq
    try:
        verdict = take(head, framed, known_fp)
    except Forked:
        raise Problem("replica_forked", extra=begin) from None
    if verdict == "new" or head.next_seq == at:
        return []
    return [{"replica": head.replica, "seq": at, "op_id": framed.id, "fp": framed.fp}]


def _result(op: Framed, outcome: Outcome, is_dup: bool) -> dict[str, Any]:
    result = {
        "op": outcome.op_id,
        "n": op.seq,
        "status": outcome.status,
        "flags": list(outcome.flags),
        "clock": outcome.clock,
        "dup": is_dup,
    }
    optional = {"reason": outcome.reason, "ver": outcome.ver, "detail": outcome.detail, "to": outcome.result.get("to")}
    return result | {k: v for k, v in optional.items() if v is not None}


def register(session: Session, actor: Actor, install_id: str, nonce: str, replica_id: str, now: datetime) -> Replica:
    """A new replica of this person's device; the same install and nonce give the same replica."""
    lock(session, [f"replica:{actor.id}:{install_id}:{nonce}"])  # a registration that is doubled on its way is one
    known = queries.replica_of_install(session, actor, install_id, nonce)
    if known is None:
        known = Replica(id=replica_id, device_id=actor.device_id or "", user_id=actor.id, install_id=install_id, nonce=nonce,
                        next_seq=1, head="0" * 64, status="active", outbox_len=0, last_seen_at=now)  # fmt: skip
        session.add(known)
        session.flush()
    return known


__all__ = ["SYSTEM", "receive", "register"]
