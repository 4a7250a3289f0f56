"""The device's half of a server that goes back in time (P61): noticing, and what follows. Pure rules over the state of
`replica`. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any

from sync_protocol.replica import State, is_clock


def is_behind(state: State, clocks: Iterable[int]) -> bool:
    """P61: whether the server tells, as of now, a clock that is behind what it told in this same epoch."""
    return any(clock < state.get("told", 0) for clock in clocks)


def new_clocks(state: State, results: Iterable[Mapping[str, Any]]) -> list[int]:
    """P61: of outcomes of our own ops that the server has just taken, the clocks it must have stood at before."""
    mine = {k["op"] for k in state["outbox"]}
    taken = [r for r in results if r["op"] in mine and not r.get("dup")]
    return [r["clock"] - 1 for r in taken if r["status"] != "incident" and is_clock(r.get("clock"))]


def distrust(state: State) -> None:
    """P61: the server has gone back and has not noticed. What is here belongs to a history that is gone, whatever
    name the server still goes by: so the next registration finds another epoch, and offers again (P21).

    The cursor stays until then: signed by the server itself, it is the proof that it needs (P62).
    """
    gone = f"{state['epoch']}?"
    for holder in (*state["acked"], *state["outbox"], *state["base"].values()):
        for name in ("epoch", "in_base_of"):
            if holder.get(name) == state["epoch"]:
                holder[name] = gone
    state["epoch"] = gone
