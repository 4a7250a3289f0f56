"""The device's half as pure rules over a plain state: record, acknowledge, renumber, take a page, view. No I/O, no clock.

State (all plain JSON): replica, epoch, seq, head, outbox [{op, body, ent}], acked [{op, body, ent, status, clock}],
base {type:id → {data, ver, as_of, epoch}}, memb {type:id → [buckets]}, cursor, resetting {bucket → [type:id]}.
Whoever persists it writes each call's whole result in one local transaction (rule P20).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sync_protocol.identity import GENESIS, chain_head, fingerprint

State = dict[str, Any]
TERMINAL = frozenset(
    {"applied", "noop", "proposed", "superseded", "redirected", "parked", "blocked", "incident"}
)


def fresh(replica: str, epoch: str) -> State:
    """State of a device that has just enrolled."""
    return {
        "replica": replica,
        "epoch": epoch,
        "outbox": [],
        "acked": [],
        "base": {},
        "memb": {},
        "cursor": None,
        "resetting": {},
    }


def wire(state: State, limit: int, next_seq: int, head: str) -> list[dict[str, Any]]:
    """The first `limit` ops of the outbox, numbered from `next_seq` and chained to `head`."""
    ops = []
    for n, kept in enumerate(state["outbox"][:limit]):
        ops.append({"seq": next_seq + n, "prev": head, "body": kept["body"]})
        head = chain_head(head, state["replica"], next_seq + n, fingerprint(kept["body"]))
    return ops


def renumber(state: State, replica: str, epoch: str) -> None:
    """P9: a new replica identity after a fork; the same op ids, from number 1."""
    state.update(replica=replica, epoch=epoch, next_seq=1, head=GENESIS)


def on_epoch(state: State, replica: str, epoch: str) -> None:
    """P21: the server went back in time: offer again all that is not known to be in a backup, sweep all that is here."""
    for kept in state["acked"]:
        row = state["base"].get(kept["ent"])
        if kept["status"] == "applied" and row and row["as_of"] >= kept["clock"]:
            kept["in_base_of"] = row["epoch"]
    state["outbox"] = state["acked"] + state["outbox"]
    state["acked"] = []
    renumber(state, replica, epoch)
    state["resetting"] = {bucket: [] for buckets in state["memb"].values() for bucket in buckets}
    state["cursor"] = None


def take_acks(state: State, acks: Iterable[Mapping[str, Any]], durable_clock: int) -> None:
    """P11: only an outcome named by op id frees an op; one that is not durable yet is kept aside (P22)."""
    by_op = {ack["op"]: ack for ack in acks if ack["status"] in TERMINAL}
    waiting = []
    for kept in state["outbox"]:
        ack = by_op.get(kept["op"])
        if ack is None:
            waiting.append(kept)
        else:
            state["acked"].append(
                {**kept, "status": ack["status"], "reason": ack.get("reason"), "clock": ack.get("clock", 0)}
            )
    state["outbox"] = waiting
    state["acked"] = [k for k in state["acked"] if not _may_go(state, k, durable_clock)]


def _may_go(state: State, kept: Mapping[str, Any], durable_clock: int) -> bool:
    row = state["base"].get(kept["ent"])
    is_shown = kept["status"] != "applied" or row is None or row["as_of"] >= kept["clock"]
    return bool(
        is_shown
        and kept["clock"] <= durable_clock
        and kept["status"] not in ("parked", "blocked", "incident")
    )


def take_page(state: State, page: Mapping[str, Any]) -> bool:
    """P18–P20: rows, removals, drops, resets, cursor and acks of one page; returns whether the view is now complete."""
    for bucket in page["drop"]:
        state["resetting"].pop(bucket, None)
        for key in list(state["memb"]):
            _leave(state, key, bucket)
    for bucket in page["reset"]:
        state["resetting"][bucket] = []
    for row in page["rows"]:
        _take_row(state, row, page)
    if page["complete"]:
        for bucket, marked in state["resetting"].items():
            for key in [k for k, buckets in state["memb"].items() if bucket in buckets and k not in marked]:
                _leave(state, key, bucket)
        state["resetting"] = {}
    state["cursor"] = page["cursor"]
    take_acks(state, page["acks"], page["durable_seq"])
    return bool(page["complete"])


def _take_row(state: State, row: Mapping[str, Any], page: Mapping[str, Any]) -> None:
    key, bucket = f"{row['t']}:{row['id']}", row["b"]
    marked = state["resetting"].get(bucket)
    if row["op"] == "remove":
        _leave(state, key, bucket)
        if marked is not None and key in marked:
            marked.remove(key)
        return
    state["base"][key] = {
        "data": row["data"],
        "ver": row["ver"],
        "as_of": page["as_of"],
        "epoch": page["epoch"],
    }
    buckets = state["memb"].setdefault(key, [])
    if bucket not in buckets:
        buckets.append(bucket)
    if marked is not None and key not in marked:
        marked.append(key)


def _leave(state: State, key: str, bucket: str) -> None:
    buckets = state["memb"].get(key, [])
    if bucket in buckets:
        buckets.remove(bucket)
    if not buckets:
        state["memb"].pop(key, None)
        state["base"].pop(key, None)


def overlay(state: State, key: str) -> list[str]:
    """P23: own ops that the row in `base` does not contain yet, in order; each is shown exactly once."""
    row = state["base"].get(key)
    after = [
        k
        for k in state["acked"]
        if k["ent"] == key and k["status"] == "applied" and row and k["clock"] > row["as_of"]
    ]
    mine = [
        k for k in state["outbox"] if k["ent"] == key and not (row and k.get("in_base_of") == row["epoch"])
    ]
    return [k["op"] for k in (*after, *mine)]
