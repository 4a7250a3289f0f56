"""What a device's clocks prove: tokens, anchors, intervals (P80–P83, C4). A simulated world knows the truth."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import sync_protocol
from sync_protocol import clock, timetoken
from sync_protocol.client import timing
from sync_protocol.evidence import Witness

KEY, OTHER = timetoken.derived(b"secret"), timetoken.derived(b"another secret")
NONCE = bytes(range(8))
DAY_MS = 86_400_000
T0 = 1_795_500_000_000
VECTORS: Any = json.loads(
    (Path(sync_protocol.__file__).parent / "vectors" / "time.json").read_text(encoding="utf-8")
)


def wall_ms(text: str) -> int | None:
    try:
        wall = datetime.fromisoformat(text)
        return None if wall.tzinfo is None else round(wall.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def token(ms: int, replica: str = "r-1", key: bytes = KEY) -> str:
    return timetoken.issue(ms, NONCE, replica, key)


def test_p80_a_token_is_the_same_everywhere() -> None:
    case = VECTORS["token"]
    made = timetoken.issue(
        case["server_ms"], bytes.fromhex(case["nonce"]), case["replica"], case["key"].encode()
    )
    assert made == case["text"]
    assert timetoken.read(made, [case["key"].encode()]) == timetoken.Token(case["server_ms"], case["replica"])


@pytest.mark.parametrize("case", VECTORS["recorded"], ids=lambda c: c["name"])
def test_p82_what_an_op_says_of_its_time_comes_to_the_same_everywhere(case: dict[str, Any]) -> None:
    got = Witness((VECTORS["token"]["key"].encode(),), case["received"], wall_ms, case["present"]).recorded(
        case["at"]
    )
    assert [got.at_ms, got.low_ms, got.high_ms, got.quality] == case["is"]


def test_p80_no_token_altered_in_any_place_is_believed() -> None:
    text = token(T0)
    for n in range(len(text)):
        for other in ("A", "B", "-", "=", "é"):
            if text[n] != other:
                assert timetoken.read(text[:n] + other + text[n + 1 :], [KEY]) is None
    for other in ("", "A", text[:-1], text + "A", text + "=", text * 9, None, 7, [text]):
        assert timetoken.read(other, [KEY]) is None


def test_p80_a_token_of_a_former_secret_is_believed_while_that_is_told_and_no_longer() -> None:
    old = token(T0, key=OTHER)
    assert timetoken.read(old, [KEY]) is None
    assert timetoken.read(old, [KEY, OTHER]) == timetoken.Token(T0, "r-1")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("9" * 400),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["mono", "unc", "tok", "boot"]), inner)
    ),
    max_leaves=4,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "wall": ANY | st.sampled_from(["1970-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "0001-01-01T00:00:00+23:59",
                                       "9999-12-31T23:59:59-23:59", "2026-11-23T14:01:02"]),
        "mono": ANY, "boot": ANY | st.just("b1"), "tz": ANY,
        "tok": ANY | st.integers(0, 2 * T0).map(token) | st.just(token(T0, key=OTHER)),
        "anchor": ANY | st.fixed_dictionaries({"mono": ANY, "unc": ANY}, optional={"tok": st.just(token(T0))}),
    },
)  # fmt: skip


@given(
    MEMBERS,
    ANY | st.fixed_dictionaries({"boot": st.just("b1"), "mono": ANY, "unc": ANY, "tok": st.just(token(T0))}),
)
def test_p82_nothing_that_a_device_may_write_is_refused_and_the_interval_is_two_sided(
    at: Any, present: Any
) -> None:
    received = T0 + DAY_MS
    got = Witness((KEY,), received, wall_ms, present).recorded(at)
    assert got.quality in clock.QUALITIES
    assert got.low_ms is None or got.low_ms <= got.at_ms
    assert got.at_ms <= got.high_ms <= max(received, 2 * T0)
    found = timetoken.read(at.get("tok"), [KEY])
    if found and found.server_ms <= received:
        assert got.low_ms is not None and found.server_ms <= got.low_ms and got.high_ms <= received
    else:
        assert got.quality == "suspect" or got.low_ms is not None or got.quality == "wall_only"


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """A device with a drifting clock, exchanges over a line that is slower one way than the other, ops, reboots."""
    drift = draw(st.integers(-100, 100)) / 1_000_000
    steps, at = [], float(T0)
    for _ in range(draw(st.integers(1, 6))):
        at += draw(st.floats(0, 40 * 3_600_000))
        kind = draw(st.sampled_from(["exchange", "op", "op", "reboot", "clock set"]))
        steps.append(
            (kind, at, draw(st.floats(0.2, 60_000)), draw(st.floats(0.2, 60_000)), draw(st.floats(0, 20_000)))
        )
        at += 140_000
    return {
        "drift": drift,
        "steps": steps,
        "seen_after": draw(st.floats(0.2, 60_000)),
        "walls": draw(st.integers(0, 9)),
    }


class World:
    """Truth is the server's clock; the device has only its own."""

    def __init__(self, drift: float) -> None:
        self.drift, self.boot, self.began, self.known = drift, 0, float(T0 - 5_000), {}
        self.off_ms = 0

    def mono(self, at: float) -> int:
        return int((at - self.began) / (1 + self.drift))

    def exchange(self, at: float, up: float, down: float, inside: float) -> None:
        t1, t2 = int(at + up), int(at + up + inside)
        said = {"t1": t1, "t2": t2, "tok": token(t2)}
        self.known = timing.noted(
            self.known, f"b{self.boot}", self.mono(at), self.mono(at + up + inside + down), said
        )

    def op(self, at: float) -> dict[str, Any]:
        wall = datetime.fromtimestamp(at / 1000, UTC) + timedelta(milliseconds=self.off_ms)
        return timing.evidence(self.known, timing.Pulse(lambda: self.mono(at), f"b{self.boot}"), wall)


@given(worlds())
@example({"drift": 1e-4, "steps": [("exchange", T0, 60_000.0, 0.3, 0.0), ("op", T0 + 400 * 3_600_000.0, 1, 1, 1)],
          "seen_after": 1.0, "walls": 0})  # fmt: skip
def test_c4_the_interval_holds_the_true_time_whatever_the_line_and_the_drift(world: dict[str, Any]) -> None:
    device, ops = World(world["drift"]), []
    device.exchange(T0 - 1000, 3, 3, 1)  # it has enrolled
    for kind, at, up, down, inside in world["steps"]:
        if kind == "exchange":
            device.exchange(at, up, down, inside)
        elif kind == "op":
            ops.append((at, device.op(at)))
        elif kind == "reboot":
            device.boot, device.began = device.boot + 1, at
        else:
            device.off_ms = [0, -DAY_MS * 20_000, DAY_MS * 20_000, 3_600_000][world["walls"] % 4]
    end = world["steps"][-1][1] + 140_000 + world["seen_after"]
    witness = Witness((KEY,), int(end) + 1, wall_ms, timing.present(device.known, f"b{device.boot}"))
    for truth, at in ops:
        got = witness.recorded(at)
        assert got.low_ms is not None and got.low_ms - 1 <= truth <= got.high_ms + 1, (truth, at, got)
        assert got.quality in ("anchored", "bracketed")
        assert (got.quality == "anchored") >= ("anchor" in at)


def test_p82_an_op_recorded_after_a_reboot_is_dated_by_the_anchor_that_its_push_carries() -> None:
    world = World(0.0)
    world.exchange(T0, 50, 50, 5)
    world.boot, world.began = 1, T0 + DAY_MS
    at = world.op(T0 + DAY_MS + 3_600_000)
    assert "anchor" not in at
    world.exchange(T0 + 2 * DAY_MS, 50, 50, 5)
    end = T0 + 2 * DAY_MS + 1000
    alone = Witness((KEY,), end, wall_ms).recorded(at)
    helped = Witness((KEY,), end, wall_ms, timing.present(world.known, "b1")).recorded(at)
    assert (alone.quality, helped.quality) == ("bracketed", "anchored")
    assert helped.high_ms - (helped.low_ms or 0) < 20_000 < alone.high_ms - (alone.low_ms or 0)
    assert abs(helped.at_ms - (T0 + DAY_MS + 3_600_000)) < 10_000


def test_p82_a_monotonic_clock_that_stood_still_asleep_is_suspected_and_not_believed() -> None:
    world = World(0.0)
    world.exchange(T0, 50, 50, 5)
    world.began += 3 * 3_600_000  # asleep for three hours, and the clock with it
    at = world.op(T0 + 4 * 3_600_000)
    world.exchange(T0 + 5 * 3_600_000, 50, 50, 5)
    got = Witness((KEY,), T0 + 6 * 3_600_000, wall_ms, timing.present(world.known, "b0")).recorded(at)
    assert got.quality == "suspect"
    assert (got.low_ms, got.high_ms) == (T0 + 55, T0 + 6 * 3_600_000)


def test_p81_the_best_anchor_stays_until_its_drift_makes_it_worse_and_the_latest_token_always_changes() -> (
    None
):
    world = World(0.0)
    world.exchange(T0, 5, 5, 0)
    good = world.known["best"]
    world.exchange(T0 + 60_000, 900, 900, 0)
    assert world.known["best"] == good and world.known["latest"]["tok"] != good["tok"]
    world.exchange(T0 + 40 * 3_600_000, 900, 900, 0)
    assert world.known["best"] == world.known["latest"]


def test_p81_an_answer_without_time_leaves_the_anchors_alone() -> None:
    world = World(0.0)
    world.exchange(T0, 5, 5, 0)
    for said in (None, 3, {}, {"t1": 1, "t2": "x", "tok": "t"}, {"t1": 1, "t2": 2}):
        assert timing.noted(world.known, "b0", 0, 1, said) == world.known
