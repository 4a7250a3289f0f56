"""What a device's clocks are worth: offset, anchor, estimate with its interval (rule P26). Evidence
only, never an order.

No clock is read here; all times are integers in milliseconds, server times since 1970 UTC.
"""

from dataclasses import dataclass

DRIFT_PPM = 100


@dataclass(frozen=True, slots=True)
class Anchor:
    """At `mono_ms` of boot `boot` the server's time was `server_ms` ± `uncertainty_ms`."""

    boot: str
    mono_ms: int
    server_ms: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Server time of an event, the interval that surely contains it, and how that is known."""

    at_ms: int
    low_ms: int
    high_ms: int
    quality: str


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
