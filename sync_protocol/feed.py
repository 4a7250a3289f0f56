"""Planning a pull: where each bucket starts, what is dropped or reset, where the cursor ends (P15–P19, P42–P46).
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
    taken: Mapping[str, int] | None = None,
) -> Plan:
    """Where each bucket in `scope` is read from.

    P15 a bucket new to the device starts at nothing; P16 one it may no longer see is dropped; P17 one
    of which removals were forgotten since the device's position is reset: read again from nothing,
    swept by the device at the end. While a reset is under way its pages stand before the horizon, so
    there the clock at which it began counts: it starts again only when removals were forgotten since
    *then*. `resetting` gives these clocks; a bare list claims "just begun". P42, P43: buckets in `again`
    are reset whatever their position. P46: a bucket that is in no cursor and of which the device has
    `taken` a bundle stands where the bundle does, and nothing before counts as known.
    """
    anew, held, since, reset = set(again), taken or {}, dict[str, Position](), list[str]()
    began = resetting if isinstance(resetting, Mapping) else dict.fromkeys(resetting, None)
    for bucket in sorted(set(scope)):
        at, horizon = cursor.get(bucket, START), horizons.get(bucket, 0)
        begun, is_under_way = began.get(bucket), bucket in began
        if at == START and bucket in held:
            at, is_under_way = (held[bucket], MAX_SUB), False
        knows = (begun + 1 if isinstance(begun, int) else horizon) if is_under_way else 0
        if at > START and (bucket in anew or max(_passed(at), knows) < horizon):
            reset.append(bucket)
            at = START
        since[bucket] = at
    return Plan(since, sorted({*cursor, *held} - set(since)), reset)


def _passed(at: Position) -> int:
    """The clock before which everything has been delivered; inside a transaction its own removals may
    be to come."""
    return at[0] + 1 if at[1] >= MAX_SUB else at[0]


def advance(since: Mapping[str, Position], last: Position | None, clock: int) -> dict[str, Position]:
    """P18 the next cursor: a full page ends at its last row, a complete one at this snapshot's clock."""
    if last is None:
        return dict.fromkeys(since, (clock, MAX_SUB))
    return {bucket: max(at, last) for bucket, at in since.items()}
