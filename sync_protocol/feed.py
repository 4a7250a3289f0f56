"""Planning a pull: where each bucket starts, what is dropped, what is reset, where the cursor ends (P15–P19). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sync_protocol.cursor import MAX_SUB

Position = tuple[int, int]
START: Position = (0, -1)


@dataclass(frozen=True, slots=True)
class Plan:
    """From where each bucket is read, buckets left for good, buckets to be swept by the device."""

    since: dict[str, Position]
    drop: list[str]
    reset: list[str]


def plan(
    cursor: Mapping[str, Position],
    scope: Iterable[str],
    horizons: Mapping[str, int],
    resetting: Iterable[str],
) -> Plan:
    """P15 a bucket new to the device starts at nothing; P16 one it may no longer see is dropped; P17 one whose
    removals were forgotten since its position is reset: read again from nothing, swept at the end."""
    wanted, under_way = set(scope), set(resetting)
    since, reset = dict[str, Position](), list[str]()
    for bucket in sorted(wanted):
        at = cursor.get(bucket, START)
        if START < at < (horizons.get(bucket, 0), 0) and bucket not in under_way:
            reset.append(bucket)
            at = START
        since[bucket] = at
    return Plan(since, sorted(set(cursor) - wanted), reset)


def advance(since: Mapping[str, Position], last: Position | None, clock: int) -> dict[str, Position]:
    """P18 the next cursor: a full page ends at its last row, a complete one at this snapshot's clock."""
    if last is None:
        return {bucket: (clock, MAX_SUB) for bucket in since}
    return {bucket: max(at, last) for bucket, at in since.items()}
