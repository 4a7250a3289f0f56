"""Is this op new, a duplicate, or from a fork? Pure decisions over a replica's head (rules P7–P10)."""

from dataclasses import dataclass

from sync_protocol.envelope import Framed
from sync_protocol.identity import GENESIS, chain_head


@dataclass(slots=True)
class Head:
    """Where a replica's log stands: the next sequence number and the hash before it."""

    replica: str
    next_seq: int = 1
    head: str = GENESIS

    def advance(self, fp: str) -> None:
        """One op further."""
        self.head = chain_head(self.head, self.replica, self.next_seq, fp)
        self.next_seq += 1


class Forked(Exception):
    """P9: the op does not extend this replica's log: a clone or a restored phone. It registers anew,
    keeping op ids."""


def take(head: Head, op: Framed, known_fp: str | None) -> str:
    """Judge the next op of a push and advance the head: `duplicate`, `incident` or `new`. Raises Forked.

    P7 a known op with the same fingerprint is a duplicate, whatever its sequence number; P8 one that
    sits exactly at the next number advances the log (that is how a renumbered replica catches up); P10
    a known id with another content is an incident, and advances likewise.
    """
    extends = op.seq == head.next_seq and op.prev == head.head
    if known_fp is not None:
        if extends:
            head.advance(op.fp)
        return "duplicate" if known_fp == op.fp else "incident"
    if not extends:
        raise Forked
    head.advance(op.fp)
    return "new"
