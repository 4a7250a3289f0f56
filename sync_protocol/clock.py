"""What a device's clocks are worth: offset, anchor, estimate with its interval (rule P26). Evidence
only, never an order.

No clock is read here; all times are integers in milliseconds, server times since 1970 UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DRIFT_PPM = 100
GRAIN_MS = 3  # three readings of whole milliseconds go into an anchor and an op
FUTURE_MS = 300_000  # a wall clock this far ahead is still only a clock that is a little fast
OLDEST_MS = 2 * 366 * 86_400_000  # a phone found in a drawer after longer than this has lost its clock
QUALITIES = ("anchored", "bracketed", "wall_only", "suspect")


@dataclass(frozen=True, slots=True)
class Anchor:
    """At `mono_ms` of boot `boot` the server's time was `server_ms` ± `uncertainty_ms`."""

    boot: str
    mono_ms: int
    server_ms: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Server time of an event, the interval that surely contains it, and how that is known. `low_ms` None: nothing
    proves that it was not earlier."""

    at_ms: int
    low_ms: int | None
    high_ms: int
    quality: str


def exact(at_ms: int) -> Estimate:
    """The time of something that the server itself wrote down."""
    return Estimate(at_ms, at_ms, at_ms, "anchored")


def offset(t0: int, t1: int, t2: int, t3: int) -> tuple[int, int]:
    """(offset, uncertainty) of one exchange: t0, t3 on the device's monotonic clock, t1, t2 on the
    server's (RFC 5905)."""
    return ((t1 - t0) + (t2 - t3)) // 2, -(-((t3 - t0) - (t2 - t1)) // 2)


def anchor(boot: str, t0: int, t1: int, t2: int, t3: int) -> Anchor:
    """The anchor that an exchange gives."""
    shift, uncertainty = offset(t0, t1, t2, t3)
    return Anchor(boot, t3, t3 + shift, uncertainty)


def estimate(at: Anchor | None, boot: str, mono_ms: int, known_after_ms: int, received_ms: int) -> Estimate:
    """When an op was recorded. Same boot → `anchored` (± uncertainty + 100 ppm of the time since); else
    only that it lies between the last proof of the server's time (`known_after_ms`) and receipt →
    `bracketed`. Where the two contradict each other → `suspect`, and the bracket is kept.
    """
    middle = (known_after_ms + received_ms) // 2
    bracket = Estimate(middle, known_after_ms, received_ms, "bracketed")
    if at is None or at.boot != boot:
        return bracket
    since = mono_ms - at.mono_ms
    around = at.uncertainty_ms + -(-abs(since) * DRIFT_PPM // 1_000_000)
    guess = at.server_ms + since
    low, high = max(guess - around, known_after_ms), min(guess + around, received_ms)
    if low > high:
        return Estimate(middle, known_after_ms, received_ms, "suspect")
    return Estimate(min(max(guess, low), high), low, high, "anchored")


def place(
    anchors: Sequence[Anchor], boot: str, mono_ms: int | None, wall_ms: int | None, known_after_ms: int | None,
    received_ms: int,
) -> Estimate:  # fmt: skip
    """P82: when an op was recorded, from all that is known; two-sided, and never refused.

    `anchors` are those of this boot and of others (the others say nothing), `wall_ms` is the device's own claim,
    `known_after_ms` the time of the newest token that the op names. Anchors narrow the bracket together; where they
    contradict it or each other the bracket stands alone, `suspect`. The wall clock only chooses within the bracket.
    """
    after_ms = 0 if known_after_ms is None else known_after_ms
    if after_ms > received_ms:  # the server's own clock was set back between the two
        return Estimate(received_ms, received_ms, after_ms, "suspect")
    seen = [
        estimate(_with_grain(at), boot, mono_ms, after_ms, received_ms)
        for at in anchors if at.boot == boot and mono_ms is not None
    ]  # fmt: skip
    low = max((one.low_ms or 0 for one in seen), default=0)
    high = min((one.high_ms for one in seen), default=0)
    is_suspect = low > high or any(one.quality == "suspect" for one in seen)
    if not seen or is_suspect:
        quality = "suspect" if is_suspect else "bracketed"
        return _without_anchor(wall_ms, known_after_ms, received_ms, quality)
    best = min(seen, key=lambda one: one.high_ms - (one.low_ms or 0))
    return Estimate(min(max(best.at_ms, low), high), low, high, "anchored")


def _with_grain(at: Anchor) -> Anchor:
    """The anchor with what whole milliseconds and the drift during its own exchange add to its uncertainty."""
    more = GRAIN_MS + -(-at.uncertainty_ms * 2 * DRIFT_PPM // 1_000_000)
    return Anchor(at.boot, at.mono_ms, at.server_ms, at.uncertainty_ms + more)


def _without_anchor(wall_ms: int | None, known_after_ms: int | None, received_ms: int, quality: str) -> Estimate:
    """The wall clock within its bracket; without a bracket it is believed within reason, never past receipt."""
    if known_after_ms is not None:
        is_inside = wall_ms is not None and known_after_ms <= wall_ms <= received_ms
        at_ms = wall_ms if is_inside and wall_ms is not None else (known_after_ms + received_ms) // 2
        return Estimate(at_ms, known_after_ms, received_ms, quality)
    if wall_ms is None or not received_ms - OLDEST_MS <= wall_ms <= received_ms + FUTURE_MS:
        return Estimate(received_ms, None, received_ms, "suspect")
    at_ms = min(wall_ms, received_ms)
    return Estimate(at_ms, None, received_ms, "suspect" if quality == "suspect" else "wall_only")


def is_better(new: Anchor, old: Anchor | None) -> bool:
    """Whether a new anchor tells the time better than an older one does by now, its drift counted."""
    if old is None or old.boot != new.boot:
        return True
    since = abs(new.mono_ms - old.mono_ms)
    return new.uncertainty_ms <= old.uncertainty_ms + -(-since * DRIFT_PPM // 1_000_000)
