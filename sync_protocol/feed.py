"""Planning a pull: where each bucket starts, what is dropped or reset, where the cursor ends (P15–P19).
Pure."""

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
    resetting: Mapping[str, int] | Iterable[str],
    again: Iterable[str] = (),
) -> Plan:
    """Where each bucket in `scope` is read from.

    P15 a bucket new to the device starts at nothing; P16 one it may no longer see is dropped; P17 one
    of which removals were forgotten since the device's position is reset: read again from nothing,
    swept by the device at the end. While a reset is under way its pages stand before the horizon, so
    there the clock at which it began counts: it starts again only when removals were forgotten since
    *then*. `resetting` gives these clocks; a bare list claims "just begun". P42: buckets in `again` are
    reset whatever their position.
    """
    wanted = set(scope)
    began = resetting if isinstance(resetting, Mapping) else dict.fromkeys(resetting, None)
    anew, since, reset = set(again), dict[str, Position](), list[str]()
    for bucket in sorted(wanted):
        at, horizon = cursor.get(bucket, START), horizons.get(bucket, 0)
        begun = began.get(bucket)
        knows = begun + 1 if isinstance(begun, int) else horizon if bucket in began else 0
        if at > START and (bucket in anew or max(_passed(at), knows) < horizon):
            reset.append(bucket)
            at = START
        since[bucket] = at
    return Plan(since, sorted(set(cursor) - wanted), reset)


def _passed(at: Position) -> int:
    """The clock before which everything has been delivered; inside a transaction its own removals may
    be to come."""
    return at[0] + 1 if at[1] >= MAX_SUB else at[0]


def advance(since: Mapping[str, Position], last: Position | None, clock: int) -> dict[str, Position]:
    """P18 the next cursor: a full page ends at its last row, a complete one at this snapshot's clock."""
    if last is None:
        return dict.fromkeys(since, (clock, MAX_SUB))
    return {bucket: max(at, last) for bucket, at in since.items()}
