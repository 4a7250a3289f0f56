"""What a device does when a bucket here is not what the server says it holds (rules P43, P44). Pure, over the same
state as `replica`; the outbox is nobody's business here.

State: doubts {bucket → {n: mismatches in a row, is_asked: a reset has begun since, is_told: a person will hear of it,
here: [count, sum], there: the same of the server}}.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sync_protocol import checks

State = dict[str, Any]
MOST = 3  # mismatches in a row after which no reset is asked for any more: a person has to look
MOST_TOLD = 200  # differing ids in one report


def members(state: State, bucket: str) -> list[checks.Member]:
    """(type, id, version) of what is in a bucket on this device."""
    found = []
    for key, buckets in state["memb"].items():
        if bucket in buckets:
            kind, _, ent = key.partition(":")
            found.append((kind, ent, state["base"][key]["ver"]))
    return found


def compare(state: State, told: Mapping[str, Sequence[Any]]) -> None:
    """P43: after a complete page: buckets whose check is not the server's are doubted, the others are not."""
    held: dict[str, list[checks.Member]] = {bucket: [] for bucket in told}
    for key, buckets in state["memb"].items():
        kind, _, ent = key.partition(":")
        for bucket in buckets:
            if bucket in held:
                held[bucket].append((kind, ent, state["base"][key]["ver"]))
    doubts = {}
    for bucket, found in held.items():
        here, there = list(checks.check(found)), list(told[bucket])
        if here != there:
            before = state.get("doubts", {}).get(bucket, {"n": 0, "is_told": False})
            seen = {"n": before["n"] + 1, "is_asked": False, "is_told": before["is_told"]}
            doubts[bucket] = {**seen, "here": here, "there": there}
    state["doubts"] = doubts


def mismatched(state: State) -> dict[str, Any]:
    """P43: what the next pull shall reset because it differs: {bucket: [mismatches in a row, count, sum]}."""
    return {
        bucket: [doubt["n"], *doubt["here"]]
        for bucket, doubt in state.get("doubts", {}).items()
        if not doubt["is_asked"] and doubt["n"] < MOST
    }


def note_reset(state: State, bucket: str) -> None:
    """A reset of `bucket` has begun: it is not asked for again before the view is complete."""
    if bucket in state.get("doubts", {}):
        state["doubts"][bucket]["is_asked"] = True


def to_report(state: State) -> list[str]:
    """P44: buckets that still differ after MOST mismatches in a row and were not reported yet."""
    return [b for b, doubt in state.get("doubts", {}).items() if doubt["n"] >= MOST and not doubt["is_told"]]


def note_report(state: State, bucket: str) -> None:
    """The server has the report on `bucket`."""
    if bucket in state.get("doubts", {}):
        state["doubts"][bucket]["is_told"] = True


def differences(ours: Sequence[checks.Member], theirs: Sequence[checks.Member]) -> dict[str, list[list[Any]]]:
    """P44: what a report names: `missing` here, `extra` here, of another version (`other`: type, id, here, there)."""
    here, there = ({(kind, ent): ver for kind, ent, ver in side} for side in (ours, theirs))
    missing = [[*key, ver] for key, ver in sorted(there.items()) if key not in here]
    extra = [[*key, ver] for key, ver in sorted(here.items()) if key not in there]
    other = [[*key, ver, there[key]] for key, ver in sorted(here.items()) if there.get(key, ver) != ver]
    return {"missing": missing[:MOST_TOLD], "extra": extra[:MOST_TOLD], "other": other[:MOST_TOLD]}
