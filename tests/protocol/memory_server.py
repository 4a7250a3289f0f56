"""A server in memory over the pure functions of the protocol, for the state machine and the traces.

No HTTP, no database: a transaction is a deep copy that replaces the state, or does not. An entity's
value is the list of the ops that reached it, so that a lost, a doubled and a vanished effect each look
different.
"""

import copy
import json
from typing import Any

from sync_protocol import checks, feed
from sync_protocol.bundle import Bundle
from sync_protocol.cursor import MAX_SUB, BadCursor, decode, encode
from sync_protocol.envelope import Framed, frames
from sync_protocol.ordering import Forked, Head, take

KEY = b"test-key"
Message = dict[str, Any]


class Refusal(Exception):
    """A problem answer."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code, self.extra = code, extra


class Crashed(Exception):
    """The server died before it committed."""


class MemoryServer:
    """One history. `page_size` is small on purpose: pages split transactions."""

    def __init__(self, page_size: int = 3) -> None:
        self.page_size, self._names = page_size, iter(range(1, 1_000_000))
        self.scope: set[str] = set()
        self.bundles: dict[str, Bundle] = {}
        self.is_lying = False  # about its sums
        self.data: Message = {
            "epoch": "e0", "clock": 0, "durable": 0, "log": {}, "replicas": {}, "entities": {}, "feed": {},
            "horizons": {}, "incidents": [],
        }  # fmt: skip
        self.backup()

    def register(self, cursor: str | None = None) -> Message:
        """POST /replicas; a cursor that is ahead of us is proof that we went back (P62)."""
        self._heed(cursor)
        replica = f"r-{next(self._names)}"
        self.data["replicas"][replica] = Head(replica)
        return {"replica": replica, "epoch": self.data["epoch"]}

    def push(self, request: Message, crash: bool = False) -> Message:
        """POST /push: all of it in one transaction. Raises Refusal; Crashed when `crash`, and nothing
        is kept."""
        if request["epoch"] != self.data["epoch"]:
            raise Refusal("epoch_changed", epoch=self.data["epoch"])
        work = copy.deepcopy(self.data)
        head = work["replicas"].get(request["replica"])
        if head is None:
            raise Refusal("replica_forked", next_seq=1)
        results = []
        ops = frames(request["ops"])
        if any(op.id not in work["log"] for op in ops):
            work["clock"] += 1
        changed: list[tuple[str, str, str]] = []
        for op in ops:
            results.append(self._take(work, head, op, changed))
        self._mark(work, changed)
        if crash:
            raise Crashed
        self.data = work
        return {"epoch": work["epoch"], "results": results, "durable_seq": work["durable"], "stopped": None,
                "next_seq": head.next_seq, "head": head.head}  # fmt: skip

    def _take(self, work: Message, head: Head, op: Framed, changed: list[tuple[str, str, str]]) -> Message:
        known = work["log"].get(op.id)
        try:
            verdict = take(head, op, known["fp"] if known else None)
        except Forked:
            raise Refusal("replica_forked", next_seq=head.next_seq, head=head.head) from None
        if verdict == "duplicate":
            return {"op": op.id, "n": op.seq, "status": known["status"], "clock": known["clock"], "dup": True}
        if verdict == "incident":
            work["incidents"].append(op.body)
            return {
                "op": op.id,
                "n": op.seq,
                "status": "incident",
                "reason": "op_id_reused",
                "clock": work["clock"],
            }
        status = self._apply(work, op, changed)
        work["log"][op.id] = {"fp": op.fp, "body": op.body, "status": status, "clock": work["clock"],
                              "replica": head.replica, "seq": op.seq}  # fmt: skip
        return {"op": op.id, "n": op.seq, "status": status, "clock": work["clock"], "dup": False}

    def _apply(self, work: Message, op: Framed, changed: list[tuple[str, str, str]]) -> str:
        entity = work["entities"].get(op.ent[1])
        if op.fault:
            return "parked"
        if op.verb == "thing.create":
            if entity:
                return "parked"
            work["entities"][op.ent[1]] = {
                "bucket": op.args["bucket"],
                "tags": [op.id],
                "ver": 1,
                "gone": False,
            }
        elif not entity or entity["gone"]:
            return "parked"
        else:
            entity["tags"].append(op.id)
            entity["ver"] += 1
        changed.append((work["entities"][op.ent[1]]["bucket"], op.ent[1], "put"))
        return "applied"

    def _mark(self, work: Message, changed: list[tuple[str, str, str]]) -> None:
        for sub, (bucket, ent, op) in enumerate(changed):
            work["feed"][bucket, ent] = (work["clock"], sub, op)

    def desk(self, changes: list[tuple[str, str, str]]) -> None:
        """One transaction at a desk: (what, entity, bucket or tag) with what = create, append, delete,
        move."""
        work = self.data
        work["clock"] += 1
        marks: list[tuple[str, str, str]] = []
        for what, ent, arg in changes:
            entity = work["entities"].get(ent)
            if what == "create" and entity is None:
                work["entities"][ent] = {"bucket": arg, "tags": [f"desk-{ent}"], "ver": 1, "gone": False}
                marks.append((arg, ent, "put"))
            elif entity is not None and not entity["gone"] and what != "create":
                marks += self._desk_change(entity, what, ent, arg)
        self._mark(work, marks)

    def _desk_change(self, entity: Message, what: str, ent: str, arg: str) -> list[tuple[str, str, str]]:
        was = entity["bucket"]
        if what == "move" and arg == was:
            return []
        entity["ver"] += 1
        if what == "append":
            entity["tags"].append(arg)
            return [(was, ent, "put")]
        if what == "delete":
            entity["gone"] = True
            return [(was, ent, "remove")]
        entity["bucket"] = arg
        return [(arg, ent, "put"), (was, ent, "remove")]

    def compact(self) -> None:
        """Forget the removals; P17: the horizon moves to the newest one that is forgotten, in the same
        transaction."""
        for (bucket, ent), (clock, _, op) in list(self.data["feed"].items()):
            if op == "remove":
                del self.data["feed"][bucket, ent]
                self.data["horizons"][bucket] = max(self.data["horizons"].get(bucket, 0), clock + 1)

    def bundle(self, bucket: str) -> None:
        """P45: put by what is in a bucket now; older ones of it stay to be had."""
        clock, epoch = self.data["clock"], self.data["epoch"]
        rows = [self._row(b, ent, op) for (b, ent), (_, _, op) in self.data["feed"].items() if (b, op) == (bucket, "put")]
        made = Bundle(epoch, bucket, clock, 1, json.loads(json.dumps(rows)))
        self.bundles[encode(epoch, {bucket: (clock, MAX_SUB)}, 1, KEY)] = made

    def fetch(self, bundle_id: str) -> Bundle:
        """P47: GET /bundles/{id}. Raises Refusal."""
        found = self.bundles.get(bundle_id)
        if found is None or found.bucket not in self.scope or found.epoch != self.data["epoch"]:
            raise Refusal("not_found")
        return found

    def backup(self) -> None:
        """A verified backup of what is committed now."""
        self.data["durable"] = self.data["clock"]
        self._kept = copy.deepcopy(self.data)

    def restore(self) -> None:
        """The server goes back in time, and says so: a new epoch (P21)."""
        self.data = copy.deepcopy(self._kept)
        self.data["epoch"] = f"e{next(self._names)}"

    def slip(self) -> None:
        """The server goes back in time and does not notice: the old copy under the old name."""
        epoch = self.data["epoch"]
        self.data = copy.deepcopy(self._kept)
        self.data["epoch"] = epoch

    def _heed(self, cursor: str | None) -> None:
        """P62: begin a new epoch on the proof of a cursor of our own that stands past our clock."""
        try:
            epoch, since = decode(cursor or "", KEY)[:2]
        except BadCursor:
            return
        if epoch == self.data["epoch"] and any(at > self.data["clock"] for at, _ in since.values()):
            self.data["epoch"] = f"e{next(self._names)}"

    def pull(self, request: Message) -> Message:
        """POST /pull. Raises Refusal."""
        self._heed(request["cursor"])
        work, since = self.data, {}
        if request["cursor"]:
            try:
                epoch, since, _ = decode(request["cursor"], KEY)
            except BadCursor:
                raise Refusal("cursor_invalid") from None
            if epoch != work["epoch"]:
                raise Refusal("epoch_changed", epoch=work["epoch"])
        plan = feed.plan(
            since, self.scope, work["horizons"], request["resetting"], request["mismatched"], self._taken(request["taken"])
        )
        offers = self._offers(plan) if request["accept_bundles"] else {}
        since = {b: at for b, at in plan.since.items() if b not in offers}
        found = sorted(
            (clock, sub, b, ent, op) for (b, ent), (clock, sub, op) in work["feed"].items()
            if b in since and (clock, sub) > since[b]
        )  # fmt: skip
        is_whole, found = len(found) <= self.page_size, found[: self.page_size]
        upto = feed.advance(since, None if is_whole else found[-1][:2], work["clock"])
        is_complete = is_whole and not offers
        acks = [{"op": o, "status": work["log"][o]["status"], "clock": work["log"][o]["clock"]}
                for o in request["unacked"] if o in work["log"]]  # fmt: skip
        return json.loads(json.dumps({
            "epoch": work["epoch"], "as_of": work["clock"], "complete": is_complete, "drop": plan.drop,
            "reset": plan.reset, "rows": [self._row(*row[2:]) for row in found], "acks": acks,
            "durable_seq": work["durable"], "cursor": encode(work["epoch"], upto, 1, KEY),
            "bundles": list(offers.values()), "checks": self._checks() if is_complete else {},
        }))  # fmt: skip

    def _taken(self, ids: list[str]) -> dict[str, int]:
        names = [name for name in (decode(text, KEY) for text in ids) if name.epoch == self.data["epoch"]]
        return {bucket: at[0] for name in names for bucket, at in name.since.items()}

    def _offers(self, plan: feed.Plan) -> dict[str, Message]:
        """P46: the newest bundle of every bucket that is read from nothing, unless removals after it are forgotten."""
        offers = {}
        for bundle_id, made in self.bundles.items():
            is_past = made.epoch == self.data["epoch"] and made.clock <= self.data["clock"]
            is_good = is_past and made.clock + 1 >= self.data["horizons"].get(made.bucket, 0)
            if is_good and plan.since.get(made.bucket) == feed.START:
                offers[made.bucket] = {"bucket": made.bucket, "id": bundle_id, "sha256": ""}
        return offers

    def _checks(self) -> dict[str, list[Any]]:
        held: dict[str, list[checks.Member]] = {bucket: [] for bucket in self.scope}
        for (bucket, ent), (_, _, op) in self.data["feed"].items():
            if bucket in held and op == "put":
                held[bucket].append(("thing", ent, self.data["entities"][ent]["ver"]))
        if self.is_lying:
            return {bucket: [0, "f" * 16] for bucket in held}
        return {bucket: list(checks.check(members)) for bucket, members in held.items()}

    def _row(self, bucket: str, ent: str, op: str) -> Message:
        row = {"b": bucket, "t": "thing", "id": ent, "op": op}
        entity = self.data["entities"][ent]
        return row if op == "remove" else {**row, "ver": entity["ver"], "data": entity["tags"]}
