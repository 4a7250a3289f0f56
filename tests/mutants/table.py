"""The bugs that must die, and the invariants (tests/mutants/invariants.py) that each breaks. A mutant changes one thing and nothing else."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from backend import incoming, rows
from backend.database import CommitClock, db
from backend.errors import Problem, Refused
from backend.feed import log as feed_log
from backend.ops import apply as door
from backend.ops import custody, epochs, repair
from backend.photos.store import PhotoStore
from backend.problems import edits, rules
from backend.sync import pull, push, receiving
from sync_protocol.ordering import Head, take
from sync_protocol.workflow import Verdict
from tests.protocol import mutants as model

Patch = pytest.MonkeyPatch

@dataclass(frozen=True)
class Mutant:
    """One bug: what it breaks, how it is put in, and the tests that must see it."""

    name: str
    breaks: tuple[str, ...]
    tests: tuple[str, ...]
    put_in: Callable[[Patch], None]


MACHINE = ("tests/protocol/test_real_machine.py",)
RACE = ("tests/faults/test_feed_race.py", "-k", "p1 and postgres")
COMMUTE, UPLOADS = "tests/problems/test_commute.py", ("tests/api/test_uploads.py", "tests/api/test_blobs.py", "-k", "overtaken or patch or hash")
MODEL = ("tests/protocol/test_traces.py", "tests/protocol/test_machine.py")


def _answers_though_the_commit_failed(patch: Patch) -> None:
    before = rows.run

    def run(work: Callable[[Any], Any]) -> Any:
        done: list[Any] = []

        def kept(session: Any) -> Any:
            done.append(work(session))
            return done[-1]

        try:
            return before(kept)
        except BaseException:
            if done:
                return done[-1]
            raise

    patch.setattr(push.rows, "run", run)


def _tells_no_duplicates(patch: Patch) -> None:
    patch.setattr(push, "known_outcomes", lambda session, ids: {})
    patch.setattr(custody, "_OP_LOG", custody._OP_LOG)

    def insert(connection: Any, table: Any, found: Any, on_conflict: str = "") -> None:
        bare(connection, table, found, "DO NOTHING" if table is custody._OP_LOG else on_conflict)

    bare = custody.insert_many
    patch.setattr(custody, "insert_many", insert)


def _writes_bodies_again(patch: Patch) -> None:
    before = custody._log_row

    def again(*given: Any) -> Any:
        row = before(*given)
        try:
            return {**row, "body": json.dumps(json.loads(row["body"]))}
        except ValueError:
            return row

    patch.setattr(custody, "_log_row", again)


def _accepts_any_number(patch: Patch) -> None:
    def careless(head: Head, op: Any, known_fp: str | None) -> str:
        if known_fp is None:
            head.next_seq, head.head = op.seq, op.prev
        return take(head, op, known_fp)

    patch.setattr(push, "take", careless)


def _leaves_no_removals(patch: Patch) -> None:
    before = feed_log.record

    def record(session: Any, clock: int, changes: Any) -> None:
        before(session, clock, [type(c)(c.type, c.id, c.ver, c.buckets, (), c.gone) for c in changes])

    patch.setattr(custody.feed_log, "record", record)


def _shows_every_district(patch: Patch) -> None:
    before = pull.buckets
    patch.setattr(pull, "buckets", lambda s, actor: [*before(s, actor), "district:370302", "district:370303", "district:370304"])


def _goes_back_in_time_silently(patch: Patch) -> None:
    patch.setattr(epochs, "begin", lambda *_: None)


def _throws_refused_ops_away(patch: Patch) -> None:
    before = custody.remember

    def remember(session: Any, entry: Any, now: Any) -> None:
        if entry[1].status != "parked":
            before(session, entry, now)

    patch.setattr(door.custody, "remember", remember)


def _tries_again_in_its_own_name(patch: Patch) -> None:
    before = repair.field_actor

    def actor(session: Any, user_id: str) -> Any:
        found = before(session, user_id)
        return None if found is None else type(found)(found.id, "system", ())

    patch.setattr(repair, "field_actor", actor)
    patch.setattr(repair, "_op", _renamed(repair._op))


def _renamed(before: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def op(row: Any) -> Any:
        made = before(row)
        made.id = f"again-{made.id}"[:64]
        return made

    return op


def _notes_every_duplicate(patch: Patch) -> None:
    before = push._extend

    def extend(head: Any, framed: Any, known_fp: str | None, begin: Any) -> Any:
        steps = before(head, framed, known_fp, begin)
        if known_fp is not None and not steps:
            return [{"replica": head.replica, "seq": 10**6 + framed.seq, "op_id": framed.id, "fp": framed.fp}]
        return steps

    patch.setattr(push, "_extend", extend)


def _inflates_without_end(patch: Patch) -> None:
    patch.setattr(incoming, "_inflated", lambda raw, *_: zlib.decompress(raw, wbits=31))


def _asks_for_the_newest_version(patch: Patch) -> None:
    before = push.receive

    def receive(request: Any, *rest: Any) -> Any:
        if request.get("proto") != 7:
            raise Problem("upgrade_required")
        return before(request, *rest)

    patch.setattr(push, "receive", receive)



def _takes_its_clock_outside_the_transaction(patch: Patch) -> None:
    """A plain sequence: numbers are taken in one order and committed in another."""

    def tick(session: Session) -> int:
        if "clock" not in session.info:
            with db.engine.begin() as line:
                moved = update(CommitClock).values(v=CommitClock.v + 1).returning(CommitClock.v)
                session.info["clock"] = line.execute(moved).scalar_one()
        return int(session.info["clock"])

    patch.setattr(custody, "tick", tick)
    patch.setattr(custody.book, "append", lambda *_: None)  # its head row would keep the order by chance


def _lets_the_newest_wall_clock_win(patch: Patch) -> None:
    """What phones with a clock set to 1970 lost in real systems."""
    before = door._carry_out
    newest: dict[tuple[str, str], str] = {}

    def carry_out(session: Any, op: Any, *rest: Any) -> Any:
        wall = (op.at or {}).get("wall") if isinstance(op.at, dict) else None
        if isinstance(wall, str) and wall < newest.get((op.ent_type, op.ent_id), ""):
            raise Refused("conflict", "older than what is here")
        if isinstance(wall, str):
            newest[op.ent_type, op.ent_id] = wall
        return before(session, op, *rest)

    patch.setattr(door, "_carry_out", carry_out)


def _distrusts_clocks_that_are_far_off(patch: Patch) -> None:
    before = door._judge

    def judge(session: Any, op: Any, *rest: Any, **more: Any) -> Any:
        wall = (op.at or {}).get("wall") if isinstance(op.at, dict) else None
        if isinstance(wall, str) and not wall.startswith("2026"):
            raise Refused("invalid", "the clock of this phone is wrong")
        return before(session, op, *rest, **more)

    patch.setattr(door, "_judge", judge)


def _takes_a_second_press_for_a_double(patch: Patch) -> None:
    """A judgement that remembers the one before."""
    before, last = rules.judge, []

    def judge(action: str, role: str, now: Any) -> Any:
        asked = (action, role, now)
        if last == [asked]:
            return rules.Judgement(Verdict("noop"))
        last[:] = [asked]
        return before(*asked)

    patch.setattr(rules, "judge", judge)


def _locks_the_whole_row(patch: Patch) -> None:
    """Whoever edits another field of a row that has moved on is refused."""
    before = edits._foreign

    def foreign(*given: Any) -> Any:
        found = before(*given)
        if found:
            raise Refused("conflict", "the row has changed")
        return found

    patch.setattr(edits, "_foreign", foreign)


def _lets_an_overtaken_sender_move_the_offset(patch: Patch) -> None:
    patch.setattr(receiving, "_hold", lambda *_: None)

    def move(upload_id: str, generation: int, offset: int) -> None:
        with receiving.transaction() as session:
            session.execute(update(receiving.Upload).where(receiving.Upload.id == upload_id).values(offset=offset))

    patch.setattr(receiving, "_move", move)


def _takes_the_name_of_a_photo_on_trust(patch: Patch) -> None:
    before = PhotoStore.finish

    def finish(self: PhotoStore, upload_id: str, sha256: str) -> bool:
        patch.setattr(PhotoStore, "hash_of", lambda *_: sha256)
        return before(self, upload_id, sha256)

    patch.setattr(PhotoStore, "finish", finish)


MUTANTS: tuple[Mutant, ...] = (
    Mutant("answers_though_the_commit_failed", ("I1", "I6"), MACHINE, _answers_though_the_commit_failed),
    Mutant("tells_no_duplicates", ("I2",), MACHINE, _tells_no_duplicates),
    Mutant("leaves_no_removals", ("I3", "I9"), MACHINE, _leaves_no_removals),
    Mutant("overlays_offered_ops_twice", ("I4",), MACHINE, model.overlays_offered_ops_twice),
    Mutant("accepts_any_number", ("I5",), MACHINE, _accepts_any_number),
    Mutant("takes_its_clock_outside_the_transaction", ("I7",), RACE, _takes_its_clock_outside_the_transaction),
    Mutant("shows_every_district", ("I8", "I21"), MACHINE, _shows_every_district),
    Mutant("empties_the_outbox_when_refused", ("I10",), MODEL, model.empties_the_outbox_when_refused),
    Mutant("throws_refused_ops_away", ("I11",), MACHINE, _throws_refused_ops_away),
    Mutant("writes_bodies_again", ("I12",), MACHINE, _writes_bodies_again),
    Mutant("sweeps_nothing", ("I13",), MODEL, model.sweeps_nothing),
    Mutant("goes_back_in_time_silently", ("I14",), MACHINE, _goes_back_in_time_silently),
    Mutant("lets_the_newest_wall_clock_win", ("I15",), (COMMUTE, "-k", "i15"), _lets_the_newest_wall_clock_win),
    Mutant("distrusts_clocks_that_are_far_off", ("I15",), ("tests/doors/test_time.py", "-k", "c1"), _distrusts_clocks_that_are_far_off),
    Mutant("takes_a_second_press_for_a_double", ("I16",), ("tests/problems/test_life.py", COMMUTE, "-k", "i16"),
           _takes_a_second_press_for_a_double),
    Mutant("locks_the_whole_row", ("I17",), (COMMUTE, "-k", "i17"), _locks_the_whole_row),
    Mutant("tries_again_in_its_own_name", ("I18",), ("tests/api/test_push_laws.py",), _tries_again_in_its_own_name),
    Mutant("lets_an_overtaken_sender_move_the_offset", ("I19",), UPLOADS, _lets_an_overtaken_sender_move_the_offset),
    Mutant("takes_the_name_of_a_photo_on_trust", ("I19",), UPLOADS, _takes_the_name_of_a_photo_on_trust),
    Mutant("notes_every_duplicate", ("I20",), ("tests/api/test_push_laws.py",), _notes_every_duplicate),
    Mutant("inflates_without_end", ("I22",), ("tests/api/test_refusals.py", "-k", "bomb or inflat"), _inflates_without_end),
    Mutant("doubts_nothing", ("I23",), ("tests/pull/test_checks.py", "-k", "i23"), model.doubts_nothing),
    Mutant("asks_for_the_newest_version", ("I24",), ("tests/api/test_push_laws.py",), _asks_for_the_newest_version),
)  # fmt: skip
