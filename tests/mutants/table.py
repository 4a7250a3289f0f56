"""The invariants I1–I24 (sync.md §3.10), the test of each, and the bugs that must die. A mutant changes one thing and nothing else."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from backend import incoming, rows
from backend.errors import Problem
from backend.feed import log as feed_log
from backend.ops import apply as door
from backend.ops import custody, epochs, repair
from backend.sync import pull, push
from sync_protocol.ordering import Head, take
from tests.protocol import mutants as model

Patch = pytest.MonkeyPatch

# invariant → (what it says, the tests that name it)
INVARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "I1": ("an op that was reported is in the log, whatever happens", ("tests/protocol/test_real_machine.py",)),
    "I2": ("an op has one effect, however often it comes", ("tests/protocol/test_real_machine.py",)),
    "I3": ("when nothing changes any more, device and server are equal", ("tests/protocol/test_real_machine.py",)),
    "I4": ("an own op is seen exactly once, at every step", ("tests/protocol/test_real_machine.py", "tests/protocol/test_machine.py")),
    "I5": ("one op at each place of a replica's log, which is a chain", ("tests/protocol/test_real_machine.py",)),
    "I6": ("results leave the server after the commit", ("tests/protocol/test_real_machine.py",)),
    "I7": ("whoever sees a clock sees every row up to it", ("tests/faults/test_feed_race.py",)),
    "I8": ("a complete view holds what is in scope and nothing else", ("tests/protocol/test_real_machine.py",)),
    "I9": ("what leaves one bucket stays in another; what leaves all is gone", ("tests/protocol/test_real_machine.py", "tests/protocol/test_laws.py")),
    "I10": ("no answer empties an outbox", ("tests/protocol/test_traces.py", "tests/protocol/test_machine.py")),
    "I11": ("every op ends in one status or is listed for a person", ("tests/protocol/test_real_machine.py",)),
    "I12": ("a stored body is what was sent, byte for byte", ("tests/protocol/test_real_machine.py",)),
    "I13": ("a reset may be interrupted at every page", ("tests/protocol/test_machine.py", "tests/protocol/test_traces.py")),
    "I14": ("after a restore every acknowledged op is there again, once", ("tests/protocol/test_real_machine.py",)),
    "I15": ("no device clock decides anything", ("tests/api/test_custody.py",)),
    "I16": ("a judgement depends on state, op and rights alone", ("tests/protocol/test_vectors.py",)),
    "I17": ("facts, and edits of different fields, commute", ("tests/protocol/test_laws.py",)),
    "I18": ("a parked op that is tried again is as one that comes then", ("tests/api/test_push_laws.py",)),
    "I19": ("an offset never goes back; verified bytes hash to their name", ("tests/api/test_uploads.py",)),
    "I20": ("the same request at any later time changes nothing", ("tests/api/test_push_laws.py",)),
    "I21": ("no page holds what its reader may not see", ("tests/protocol/test_real_machine.py",)),
    "I22": ("what is over a limit is refused before it is inflated or parsed", ("tests/api/test_refusals.py",)),
    "I23": ("a difference that a check shows is gone after one reset", ("tests/protocol/test_machine.py",)),
    "I24": ("a client of any version hands over its whole outbox", ("tests/api/test_push_laws.py",)),
}


@dataclass(frozen=True)
class Mutant:
    """One bug: what it breaks, how it is put in, and the tests that must see it."""

    name: str
    breaks: tuple[str, ...]
    tests: tuple[str, ...]
    put_in: Callable[[Patch], None]


MACHINE = ("tests/protocol/test_real_machine.py", "-k", "sqlite")
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




MUTANTS: tuple[Mutant, ...] = (
    Mutant("answers_though_the_commit_failed", ("I1", "I6"), MACHINE, _answers_though_the_commit_failed),
    Mutant("tells_no_duplicates", ("I2",), MACHINE, _tells_no_duplicates),
    Mutant("leaves_no_removals", ("I3", "I9"), MACHINE, _leaves_no_removals),
    Mutant("overlays_offered_ops_twice", ("I4",), MACHINE, model.overlays_offered_ops_twice),
    Mutant("accepts_any_number", ("I5",), MACHINE, _accepts_any_number),
    Mutant("shows_every_district", ("I8", "I21"), MACHINE, _shows_every_district),
    Mutant("empties_the_outbox_when_refused", ("I10",), MODEL, model.empties_the_outbox_when_refused),
    Mutant("throws_refused_ops_away", ("I11",), MACHINE, _throws_refused_ops_away),
    Mutant("writes_bodies_again", ("I12",), MACHINE, _writes_bodies_again),
    Mutant("sweeps_nothing", ("I13",), MODEL, model.sweeps_nothing),
    Mutant("goes_back_in_time_silently", ("I14",), MACHINE, _goes_back_in_time_silently),
    Mutant("tries_again_in_its_own_name", ("I18",), ("tests/api/test_push_laws.py",), _tries_again_in_its_own_name),
    Mutant("notes_every_duplicate", ("I20",), ("tests/api/test_push_laws.py",), _notes_every_duplicate),
    Mutant("inflates_without_end", ("I22",), ("tests/api/test_refusals.py", "-k", "bomb or inflat"), _inflates_without_end),
    Mutant("asks_for_the_newest_version", ("I24",), ("tests/api/test_push_laws.py",), _asks_for_the_newest_version),
)
