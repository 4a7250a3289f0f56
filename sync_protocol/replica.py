"""The device's half as pure rules over a plain state: record, acknowledge, renumber, take a page, view.
No I/O.

State (all plain JSON): replica, epoch, next_seq, head, outbox [{op, body, ent, seq, prev}], acked [the
same with status, reason, clock, epoch, named], base {type:id → {data, ver, as_of, epoch}}, memb {type:id →
[buckets]}, cursor, resetting {bucket → {at, seen: [type:id]}}, seen_clock, offers [bundles to fetch], taken [ids
of bundles that no cursor tells of yet], by_pages (bundles are not wanted until the view is complete), doubts; and of
this epoch: durable (the clock last told to be in a backup) and told (the highest clock of any answer).
Whoever persists it writes each call's whole result in one local transaction (P20).
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from sync_protocol import doubts
from sync_protocol.identity import GENESIS, chain_head, fingerprint
from sync_protocol.limits import STATUSES

State = dict[str, Any]
ATTENTION = frozenset({"parked", "blocked", "incident"})
DECIDED = frozenset(STATUSES) - ATTENTION


_NOTHING_UNDER_WAY: State = {"offers": [], "taken": [], "by_pages": False, "doubts": {}}


def fresh(replica: str, epoch: str) -> State:
    """State of a device that has just enrolled."""
    return {
        "replica": replica, "epoch": epoch, "next_seq": 1, "head": GENESIS, "outbox": [], "acked": [],
        "base": {}, "memb": {}, "cursor": None, "resetting": {}, "seen_clock": -1, "durable": -1, "told": 0,
        **copy.deepcopy(_NOTHING_UNDER_WAY),
    }  # fmt: skip


def record(state: State, op_id: str, body: str, ent: str, is_urgent: bool = False) -> None:
    """P2, P4: one op at the end of this replica's log; its number and its place in the chain are fixed here.

    Touches `outbox`, `next_seq`, `head` and reads `replica`: a store need load no more.
    """
    _append(state, {"op": op_id, "body": body, "ent": ent, **({"urgent": True} if is_urgent else {})})


def set_aside(state: State, reason: str) -> None:
    """P88: the op at the head, refused alone for what it is, steps out of the way and is kept in `aside`, for a person.
    Those behind it need a new registration: without it the chain is another one."""
    state.setdefault("aside", []).append({**state["outbox"].pop(0), "reason": reason})


def _append(state: State, kept: dict[str, Any]) -> None:
    kept.update(seq=state["next_seq"], prev=state["head"])
    state["head"] = chain_head(state["head"], state["replica"], state["next_seq"], fingerprint(kept["body"]))
    state["next_seq"] += 1
    state["outbox"].append(kept)


def number(state: State) -> None:
    """P2, P4: ops of a store that gave out numbers only when it sent them get them now, in their order, from
    `next_seq` and `head` on."""
    waiting, state["outbox"] = state["outbox"], []
    for kept in waiting:
        _append(state, kept)


def wire(state: State, limit: int) -> list[dict[str, Any]]:
    """P1: the first `limit` ops of the outbox as they go over the wire, the same bytes at every try."""
    return [{"seq": k["seq"], "prev": k["prev"], "body": k["body"]} for k in state["outbox"][:limit]]


def renumber(state: State, replica: str, epoch: str) -> None:
    """P9: a new replica identity after a fork; the same op ids, from number 1."""
    waiting = state["outbox"]
    state.update(replica=replica, epoch=epoch, next_seq=1, head=GENESIS, outbox=[])
    for kept in waiting:
        _append(state, kept)


def adopt(state: State, replica: str, epoch: str) -> bool:
    """Take on a new registration, whatever asked for it; returns whether it is of another history.

    The epoch decides, not the refusal that led here: the server may have been restored between the two,
    and to renumber alone would then keep back what the restored server has lost (P21).
    """
    is_another = bool(epoch != state["epoch"])
    (on_epoch if is_another else renumber)(state, replica, epoch)
    return is_another


def on_epoch(state: State, replica: str, epoch: str) -> None:
    """P21: the server went back in time: offer all again that is not known to be in a backup, sweep
    what is here.

    What to sweep is derived from what is here, never from the cursor: two resets in a row would lose it.
    """
    for kept in state["acked"]:
        row = state["base"].get(kept["ent"])
        if kept["status"] == "applied" and row and _contains(row, kept):
            kept["in_base_of"] = row["epoch"]
    state["outbox"] = state["acked"] + state["outbox"]
    state.update(acked=[], seen_clock=-1, durable=-1, told=0)
    renumber(state, replica, epoch)
    start_over(state)


def start_over(state: State) -> None:
    """P17, P19: forget the cursor, sweep every bucket of which anything is here. The outbox is not
    touched."""
    buckets = {bucket for held in state["memb"].values() for bucket in held}
    state["resetting"] = {bucket: {"at": None, "seen": []} for bucket in sorted(buckets)}
    state.update(copy.deepcopy(_NOTHING_UNDER_WAY), cursor=None)


def take_acks(state: State, acks: Iterable[Mapping[str, Any]], durable_clock: int) -> None:
    """P11: only an outcome named by op id (or, P6, by fingerprint) frees an op; one that is not durable
    yet is kept aside (P22), and goes only on an answer that names it once more (P60).

    An ack of an op that is set aside already (a parked one that a person has decided) replaces its outcome.
    """
    by_op = {ack["op"]: ack for ack in acks if _names_custody(ack)}
    clocks = [ack["clock"] for ack in by_op.values() if is_clock(ack.get("clock"))]
    state.update(durable=durable_clock, told=max([state.get("told", 0), *clocks]))
    state["acked"] = [
        k if k["status"] == "incident"  # P10: what the server tells of that id is another op's outcome
        else _with_outcome(state, k, by_op.get(_name(k))) for k in state["acked"]
    ]  # fmt: skip
    waiting = []
    for kept in state["outbox"]:
        ack = by_op.get(kept["op"]) or by_op.get(f"fp:{fingerprint(kept['body'])[:32]}")
        if ack:
            state["acked"].append(_with_outcome(state, kept, ack))
        else:
            waiting.append(kept)
    state["outbox"] = waiting
    state["acked"] = [k for k in state["acked"] if _name(k) not in by_op or not _may_go(state, k, durable_clock)]


def _name(kept: Mapping[str, Any]) -> str:
    """Under which id the server holds an op: its own, or the one made of its fingerprint (P6)."""
    return str(kept.get("named") or kept["op"])


def is_clock(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _names_custody(ack: Mapping[str, Any]) -> bool:
    """A decided op without its clock could never be told durable: that is no outcome. A status that this
    version does not know is one (results leave the server after custody, P11); its op is kept (P12)."""
    return ack["status"] not in DECIDED or is_clock(ack.get("clock"))


def _with_outcome(state: State, kept: dict[str, Any], ack: Mapping[str, Any] | None) -> dict[str, Any]:
    if ack is None:
        return kept
    return {**kept, "status": ack["status"], "reason": ack.get("reason"), "clock": ack.get("clock") or 0,
            "epoch": state["epoch"], "named": ack["op"]}  # fmt: skip


def _contains(row: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """Whether `row` shows the effect of `kept` already. Clocks compare within one epoch only."""
    if kept.get("in_base_of") == row["epoch"]:
        return True
    return bool(kept.get("epoch") == row["epoch"] and row["as_of"] >= kept["clock"])


def _may_go(state: State, kept: Mapping[str, Any], durable_clock: int) -> bool:
    """P22: decided, in a verified backup, and shown: by its row, or by a complete view without the row."""
    if kept["status"] not in DECIDED or kept["clock"] > durable_clock:
        return False
    if kept["status"] != "applied":
        return True
    row = state["base"].get(kept["ent"])
    if row is None:
        return bool(state.get("seen_clock", -1) >= kept["clock"])
    return _contains(row, kept) and row["epoch"] == state["epoch"]


def resetting(state: State) -> dict[str, int]:
    """P17: the resets under way and the clock at which each began, for the next pull."""
    return {bucket: reset["at"] for bucket, reset in state["resetting"].items() if reset["at"] is not None}


def unacked(state: State, limit: int) -> list[str]:
    """P13: ops whose outcome the next page shall tell: those waiting, then those in a person's hands, then
    (P60) those that may soon be let go, if the server still holds them."""
    waiting = [k["op"] for k in state["outbox"]]
    held = [_name(k) for k in state["acked"] if k["status"] not in DECIDED and k["status"] != "incident"]
    durable = state.get("durable", -1)
    leaving = [_name(k) for k in state["acked"] if k["status"] in DECIDED and k["clock"] <= durable]
    return (waiting + held + leaving)[:limit]


def _offer_again(state: State, asked: Iterable[str], acks: Iterable[Mapping[str, Any]]) -> None:
    """P60: the server was asked about ops that it had in custody and does not know them: it has lost them."""
    lost = set(asked) - {ack["op"] for ack in acks}
    again = [k for k in state["acked"] if _name(k) in lost and k["status"] != "incident"]
    state["acked"] = [k for k in state["acked"] if k not in again]
    for kept in again:
        _append(state, kept)


def take_page(state: State, page: Mapping[str, Any], asked: Iterable[str] = ()) -> bool:
    """P18–P20: rows, removals, drops, resets, cursor and acks of one page; returns whether the view is
    complete. `asked` are the ops whose outcome the request asked for (P13, P60)."""
    for bucket in page["drop"]:
        state["resetting"].pop(bucket, None)
        for key in list(state["memb"]):
            _leave(state, key, bucket)
    for bucket in page["reset"]:
        state["resetting"][bucket] = {"at": None, "seen": []}
        doubts.note_reset(state, bucket)
    for reset in state["resetting"].values():
        reset["at"] = page["as_of"] if reset["at"] is None else reset["at"]
    seen = marks(state)
    for row in page["rows"]:
        _take_row(state, row, page, seen)
    keep_marks(state, seen)
    state.update(cursor=page["cursor"], taken=[], offers=page.get("bundles", []))
    if page["complete"]:
        _sweep(state)
        state.update(seen_clock=page["as_of"], by_pages=False)
        doubts.compare(state, page.get("checks", {}))
    _offer_again(state, asked, page["acks"])
    take_acks(state, page["acks"], page["durable_seq"])
    state["told"] = max(state["told"], page["as_of"])
    return bool(page["complete"])


def _sweep(state: State) -> None:
    """P19: what a reset bucket was not seen to hold has left it."""
    for bucket, reset in state["resetting"].items():
        seen = set(reset["seen"])
        for key in [k for k, buckets in state["memb"].items() if bucket in buckets and k not in seen]:
            _leave(state, key, bucket)
    state["resetting"] = {}


def marks(state: State) -> dict[str, dict[str, None]]:
    """P19: what the resets under way have seen, to be asked many times (in order, as a list is kept)."""
    return {bucket: dict.fromkeys(reset["seen"]) for bucket, reset in state["resetting"].items()}


def keep_marks(state: State, marks: Mapping[str, Mapping[str, None]]) -> None:
    """P19: write back what `marks` gave and a page or bundle has added to."""
    for bucket, seen in marks.items():
        state["resetting"][bucket]["seen"] = list(seen)


def _take_row(
    state: State, row: Mapping[str, Any], page: Mapping[str, Any], marks: Mapping[str, dict[str, None]]
) -> None:
    key, bucket = f"{row['t']}:{row['id']}", row["b"]
    if row["op"] == "remove":
        _leave(state, key, bucket)
        marks.get(bucket, {}).pop(key, None)
        return
    state["base"][key] = {
        "data": row["data"], "ver": row["ver"], "as_of": page["as_of"], "epoch": page["epoch"],
    }  # fmt: skip
    enter(state, key, bucket, marks)


def enter(state: State, key: str, bucket: str, marks: Mapping[str, dict[str, None]]) -> None:
    """P18: `key` is in `bucket`, and seen by the reset under way."""
    buckets = state["memb"].setdefault(key, [])
    if bucket not in buckets:
        buckets.append(bucket)
    if bucket in marks:
        marks[bucket][key] = None


def _leave(state: State, key: str, bucket: str) -> None:
    buckets = state["memb"].get(key, [])
    if bucket in buckets:
        buckets.remove(bucket)
    if not buckets:
        state["memb"].pop(key, None)
        state["base"].pop(key, None)


def overlay(state: State, key: str) -> list[str]:
    """P23: ids of the own ops that the row in `base` does not contain yet, in order."""
    return [kept["op"] for kept in pending(state, key)]


def pending(state: State, key: str) -> list[dict[str, Any]]:
    """P23: own ops that the row in `base` does not contain yet, in order; each is shown exactly once."""
    row = state["base"].get(key)
    done = [k for k in state["acked"] if k["ent"] == key and k["status"] == "applied"]
    mine = [k for k in state["outbox"] if k["ent"] == key]
    if row is None:
        return [*done, *mine]
    after = [k for k in done if not _contains(row, k)]
    return [*after, *(k for k in mine if k.get("in_base_of") != row["epoch"])]
