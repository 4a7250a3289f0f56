"""Bugs that real systems had, each put into the model by one change. What is not in here: a test.

A mutant changes one rule and nothing else; whoever runs the machine over it must see it die.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from sync_protocol import doubts, feed, filling, history, replica
from sync_protocol.cursor import MAX_SUB, decode
from sync_protocol.ordering import Forked, Head, take
from tests.protocol import memory_server
from tests.protocol.device import Device
from tests.protocol.memory_server import KEY, MemoryServer

Patch = pytest.MonkeyPatch
State = dict[str, Any]
BEFORE_PUSH, BEFORE_PULL, BEFORE_TAKE = MemoryServer.push, MemoryServer.pull, MemoryServer._take
BEFORE_PLAN, BEFORE_ADVANCE, BEFORE_COMPACT = feed.plan, feed.advance, MemoryServer.compact
BEFORE_RESTORE, BEFORE_DESK, BEFORE_HEAL = MemoryServer.restore, MemoryServer._desk_change, Device._heal
BEFORE_DEVICE_PULL, BEFORE_ON_EPOCH, BEFORE_CONTAINS = Device.pull, replica.on_epoch, replica._contains
BEFORE_MAY_GO, BEFORE_TAKE_ACKS, BEFORE_TAKE_BUNDLE = replica._may_go, replica.take_acks, filling.take_bundle


def answers_before_the_commit(patch: Patch) -> None:
    """P11 broken: the answer goes out, the transaction does not."""

    def push(self: MemoryServer, request: Any, crash: bool = False) -> Any:
        kept = self.data
        answer = BEFORE_PUSH(self, request)
        if crash:
            self.data = kept
        return answer

    patch.setattr(MemoryServer, "push", push)


def tells_duplicates_by_number(patch: Patch) -> None:
    """P7 broken: (replica, seq) below the head counts as seen, whatever the op."""

    def _take(self: MemoryServer, work: Any, head: Head, op: Any, changed: Any) -> Any:
        if op.seq < head.next_seq:
            return {"op": op.id, "n": op.seq, "status": "applied", "clock": work["clock"], "dup": True}
        return BEFORE_TAKE(self, work, head, op, changed)

    patch.setattr(MemoryServer, "_take", _take)


def tells_no_duplicates(patch: Patch) -> None:
    """P7 broken: a blind upsert."""

    def blind(head: Head, op: Any, known_fp: str | None) -> str:
        if (op.seq, op.prev) == (head.next_seq, head.head):
            head.advance(op.fp)
        elif known_fp is None:
            raise Forked
        return "new"

    patch.setattr(memory_server, "take", blind)


def accepts_any_number(patch: Patch) -> None:
    """P9 broken: a clone writes on in the same log."""

    def careless(head: Head, op: Any, known_fp: str | None) -> str:
        if known_fp is None:
            head.next_seq, head.head = op.seq, op.prev
        return take(head, op, known_fp)

    patch.setattr(memory_server, "take", careless)


def leaves_the_head_behind_duplicates(patch: Patch) -> None:
    """P8 broken: a renumbered replica never catches up."""

    def stiff(head: Head, op: Any, known_fp: str | None) -> str:
        return take(head, op, None) if known_fp is None else "duplicate"

    patch.setattr(memory_server, "take", stiff)


def moves_without_a_removal(patch: Patch) -> None:
    """P16 broken: what moved away stays in its old bucket on the device."""

    def change(self: MemoryServer, entity: Any, what: str, ent: str, arg: str) -> Any:
        marks = BEFORE_DESK(self, entity, what, ent, arg)
        return [mark for mark in marks if what != "move" or mark[2] != "remove"]

    patch.setattr(MemoryServer, "_desk_change", change)


def starts_new_buckets_at_the_present(patch: Patch) -> None:
    """P15 broken: a bucket entered later is read from where the others stand."""

    def plan(cursor: Mapping[str, feed.Position], *rest: Any) -> feed.Plan:
        got = BEFORE_PLAN(cursor, *rest)
        since = {b: at if b in cursor or not cursor else max(cursor.values()) for b, at in got.since.items()}
        return feed.Plan(since, got.drop, got.reset)

    patch.setattr(feed, "plan", plan)


def forgets_removals_silently(patch: Patch) -> None:
    """P17 broken: no horizon."""

    def compact(self: MemoryServer) -> None:
        BEFORE_COMPACT(self)
        self.data["horizons"].clear()

    patch.setattr(MemoryServer, "compact", compact)


def trusts_a_reset_under_way(patch: Patch) -> None:
    """P17 broken: a compaction in the middle of a reset goes unnoticed."""

    def plan(cursor: Any, scope: Any, horizons: Any, resetting: Iterable[str]) -> feed.Plan:
        return BEFORE_PLAN(cursor, scope, horizons, list(resetting))

    patch.setattr(feed, "plan", plan)


def sweeps_nothing(patch: Patch) -> None:
    """P19 broken: a reset only adds."""
    patch.setattr(replica, "_sweep", lambda state: state.update(resetting={}))


def sweeps_what_the_cursor_names(patch: Patch) -> None:
    """P19 broken: two resets in a row forget the second sweep."""

    def start_over(state: State) -> None:
        buckets = decode(state["cursor"], KEY)[1] if state["cursor"] else {}
        state.update(resetting={b: {"at": None, "seen": []} for b in buckets}, cursor=None)

    patch.setattr(replica, "start_over", start_over)


def keeps_the_cursor_before_the_rows(patch: Patch) -> None:
    """P20 broken: a page that is lost half-way has moved the cursor."""

    def pull(self: Device, server: MemoryServer, fault: str | None = None) -> bool:
        if fault != "lose_response":
            return BEFORE_DEVICE_PULL(self, server, fault)
        rows = {name: self.state[name] for name in ("base", "memb", "outbox", "acked", "resetting")}
        kept = memory_server.copy.deepcopy(rows)
        BEFORE_DEVICE_PULL(self, server)
        self.state.update(kept)
        return False

    patch.setattr(Device, "pull", pull)


def restores_under_the_old_epoch(patch: Patch) -> None:
    """P21 broken: a server that went back in time does not say so."""

    def restore(self: MemoryServer) -> None:
        epoch = self.data["epoch"]
        BEFORE_RESTORE(self)
        self.data["epoch"] = epoch

    patch.setattr(MemoryServer, "restore", restore)


def lets_go_before_a_backup(patch: Patch) -> None:
    """P22 broken: an answered op is gone from the device."""
    patch.setattr(replica, "take_acks", lambda state, acks, durable: BEFORE_TAKE_ACKS(state, acks, 10**9))


def lets_go_of_parked_ops(patch: Patch) -> None:
    """P22 broken: what a person has yet to decide is gone from the device."""

    def may_go(state: State, kept: State, durable: int) -> bool:
        return kept["status"] == "parked" or BEFORE_MAY_GO(state, kept, durable)

    patch.setattr(replica, "_may_go", may_go)


def ends_pages_at_whole_clocks(patch: Patch) -> None:
    """P18 broken: a page that cuts a transaction skips the rest of it."""

    def advance(since: Any, last: feed.Position | None, clock: int) -> Any:
        return BEFORE_ADVANCE(since, None if last is None else (last[0], MAX_SUB), clock)

    patch.setattr(feed, "advance", advance)


def tells_no_outcomes_with_the_rows(patch: Patch) -> None:
    """P13 broken: after a lost push answer the row and the waiting op both show the effect."""

    def pull(self: MemoryServer, request: Any) -> Any:
        return {**BEFORE_PULL(self, request), "acks": []}

    patch.setattr(MemoryServer, "pull", pull)


def throws_refused_ops_away(patch: Patch) -> None:
    """P6 broken: an op that cannot be applied is told as parked and kept nowhere."""

    def push(self: MemoryServer, request: Any, crash: bool = False) -> Any:
        answer = BEFORE_PUSH(self, request, crash)
        self.data["log"] = {op: kept for op, kept in self.data["log"].items() if kept["status"] != "parked"}
        return answer

    patch.setattr(MemoryServer, "push", push)


def empties_the_outbox_when_refused(patch: Patch) -> None:
    """P12 broken: a wipe instead of healing."""

    def heal(self: Device, server: MemoryServer, refusal: Any) -> None:
        self.state["outbox"] = []
        BEFORE_HEAL(self, server, refusal)

    patch.setattr(Device, "_heal", heal)


def overlays_offered_ops_twice(patch: Patch) -> None:
    """P23 broken: an old row that holds an op already, and the op offered again, show it twice."""

    def on_epoch(state: State, name: str, epoch: str) -> None:
        BEFORE_ON_EPOCH(state, name, epoch)
        for kept in state["outbox"]:
            kept.pop("in_base_of", None)

    patch.setattr(replica, "on_epoch", on_epoch)


def compares_clocks_of_two_histories(patch: Patch) -> None:
    """P23 broken: a clock of the old epoch is held against one of the new."""

    def contains(row: State, kept: State) -> bool:
        return BEFORE_CONTAINS(row, kept) or ("clock" in kept and row["as_of"] >= kept["clock"])

    patch.setattr(replica, "_contains", contains)


def lets_go_without_asking(patch: Patch) -> None:
    """P60 broken: what was durable once is let go, whether or not the server still knows it."""

    def take_acks(state: State, acks: Any, durable: int) -> None:
        BEFORE_TAKE_ACKS(state, acks, durable)
        state["acked"] = [k for k in state["acked"] if not BEFORE_MAY_GO(state, k, durable)]

    patch.setattr(replica, "take_acks", take_acks)


def keeps_what_the_server_has_lost_to_itself(patch: Patch) -> None:
    """P60 broken: the server does not know an op that it had in custody, and nobody tells it."""
    patch.setattr(replica, "_offer_again", lambda state, asked, acks: None)


def believes_a_clock_that_went_back(patch: Patch) -> None:
    """P61 broken: a page from before what was told already is taken."""
    patch.setattr(history, "is_behind", lambda state, clocks: False)


def heeds_no_proof(patch: Patch) -> None:
    """P62 broken: the server goes on under the old name though its own signature says otherwise."""
    patch.setattr(MemoryServer, "_heed", lambda self, cursor: None)


def keeps_the_beginning_of_a_reset_through_a_bundle(patch: Patch) -> None:
    """P46 broken: what was forgotten between an older bundle and the reset's beginning counts as known."""

    def take(state: State, bundle_id: str, found: Any) -> None:
        began = {bucket: reset["at"] for bucket, reset in state["resetting"].items()}
        BEFORE_TAKE_BUNDLE(state, bundle_id, found)
        for bucket, at in began.items():
            state["resetting"][bucket]["at"] = at

    patch.setattr(filling, "take_bundle", take)


def puts_rows_back_with_a_bundle(patch: Patch) -> None:
    """P46 broken: a bundle overwrites what the device has in a later version."""

    def take(state: State, bundle_id: str, found: Any) -> None:
        for row in found.rows:
            state["base"].pop(f"{row['t']}:{row['id']}", None)
        BEFORE_TAKE_BUNDLE(state, bundle_id, found)

    patch.setattr(filling, "take_bundle", take)


def trusts_a_bundle_of_any_age(patch: Patch) -> None:
    """P46 broken: removals forgotten after the bundle are never made good."""

    def plan(cursor: Any, scope: Any, horizons: Any, resetting: Any, again: Any = (), taken: Any = None) -> feed.Plan:
        known = {bucket: horizons.get(bucket, 0) for bucket in taken or {}}
        return BEFORE_PLAN(cursor, scope, {b: h for b, h in horizons.items() if b not in known}, resetting, again, taken)

    patch.setattr(feed, "plan", plan)


def forgets_a_bundle_whose_bucket_is_lost(patch: Patch) -> None:
    """P16 broken: what came in a bundle stays though the bucket may no longer be seen."""

    def plan(cursor: Any, *rest: Any) -> feed.Plan:
        got = BEFORE_PLAN(cursor, *rest)
        return feed.Plan(got.since, [bucket for bucket in got.drop if bucket in cursor], got.reset)

    patch.setattr(feed, "plan", plan)


def goes_on_from_the_present_after_a_bundle(patch: Patch) -> None:
    """P46 broken: what changed between the bundle and now is never told."""

    def plan(cursor: Any, scope: Any, horizons: Any, resetting: Any, again: Any = (), taken: Any = None) -> feed.Plan:
        return BEFORE_PLAN(cursor, scope, horizons, resetting, again, dict.fromkeys(taken or {}, 10**9))

    patch.setattr(feed, "plan", plan)


def doubts_nothing(patch: Patch) -> None:
    """P43 broken: a fault of the device stays."""
    patch.setattr(doubts, "compare", lambda state, told: None)


def resets_again_at_each_page(patch: Patch) -> None:
    """P43 broken: a reset for a difference never ends, because it is asked for while it is under way."""
    patch.setattr(doubts, "note_reset", lambda state, bucket: None)


MUTANTS: tuple[Callable[[Patch], None], ...] = (
    answers_before_the_commit, tells_duplicates_by_number, tells_no_duplicates, accepts_any_number,
    leaves_the_head_behind_duplicates, moves_without_a_removal, starts_new_buckets_at_the_present,
    forgets_removals_silently, trusts_a_reset_under_way, sweeps_nothing, sweeps_what_the_cursor_names,
    keeps_the_cursor_before_the_rows, restores_under_the_old_epoch, lets_go_before_a_backup,
    lets_go_of_parked_ops, ends_pages_at_whole_clocks, tells_no_outcomes_with_the_rows,
    throws_refused_ops_away, empties_the_outbox_when_refused, overlays_offered_ops_twice,
    compares_clocks_of_two_histories, lets_go_without_asking, keeps_what_the_server_has_lost_to_itself,
    believes_a_clock_that_went_back, heeds_no_proof,
    keeps_the_beginning_of_a_reset_through_a_bundle, puts_rows_back_with_a_bundle,
    trusts_a_bundle_of_any_age, forgets_a_bundle_whose_bucket_is_lost, goes_on_from_the_present_after_a_bundle,
    doubts_nothing, resets_again_at_each_page,
)  # fmt: skip
