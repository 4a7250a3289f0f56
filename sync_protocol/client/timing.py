"""The reference client's sense of time (rules P80–P83): anchors from exchanges, and the `at` of an op. Evidence only:
no clock of this device, right or wrong, stops anything here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sync_protocol.clock import Anchor, is_better, offset

Anchors = Mapping[str, Mapping[str, Any]]  # "latest" and "best": {boot, mono_ms, server_ms, uncertainty_ms, tok}


@dataclass(frozen=True, slots=True)
class Pulse:
    """A monotonic clock in ms that runs on while the device sleeps, and the name of the boot that it counts from."""

    mono: Callable[[], int]
    boot: str


def pulse(random: Callable[[int], bytes]) -> Pulse:
    """This machine's. Where the kernel does not name its boot, every process counts as one: that loses anchors,
    never truth."""
    named = Path("/proc/sys/kernel/random/boot_id")
    boot = named.read_text().strip() if named.exists() else random(8).hex()
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # the monotonic clock of Linux stands still asleep
    return Pulse(lambda: time.clock_gettime_ns(clock) // 1_000_000, boot)


def noted(known: Anchors, boot: str, t0: int, t3: int, said: object) -> dict[str, Any]:
    """The anchors after an exchange that left at t0 and was answered at t3 (own monotonic ms) with `time` = `said`.

    One of two is kept anew: the latest for its token (P81), the best for its narrow interval.
    """
    if not isinstance(said, Mapping):
        return dict(known)
    t1, t2, token = said.get("t1"), said.get("t2"), said.get("tok")
    if not isinstance(t1, int) or not isinstance(t2, int) or not isinstance(token, str):
        return dict(known)
    uncertainty = max(offset(t0, t1, t2, t3)[1], 0)
    new = Anchor(boot, t3, t2 + uncertainty, uncertainty)
    kept = {**asdict(new), "tok": token}
    best = known.get("best")
    return {"latest": kept, "best": kept if best is None or is_better(new, _anchor(best)) else dict(best)}


def evidence(known: Anchors, now: Pulse, wall: datetime) -> dict[str, Any]:
    """`at` of an op recorded now."""
    latest = known.get("latest", {})
    at = {
        "wall": wall.isoformat(), "tz": wall.tzname(), "mono": now.mono(), "boot": now.boot,
        "tok": latest.get("tok"),
    }  # fmt: skip
    anchor = present(known, now.boot)
    if anchor is None:
        return at
    del anchor["boot"]
    if anchor["tok"] == at["tok"]:
        del anchor["tok"]
    return {**at, "anchor": anchor}


def present(known: Anchors, boot: str) -> dict[str, Any] | None:
    """The best anchor of this boot as it travels: {boot, mono, unc, tok}; None where this boot has none."""
    best = known.get("best")
    if best is None or best["boot"] != boot:
        return None
    return {"boot": boot, "mono": best["mono_ms"], "unc": best["uncertainty_ms"], "tok": best["tok"]}


def _anchor(kept: Mapping[str, Any]) -> Anchor:
    return Anchor(kept["boot"], kept["mono_ms"], kept["server_ms"], kept["uncertainty_ms"])
