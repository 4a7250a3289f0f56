"""A problem's life as one table, and what an intent comes to when the state has moved on meanwhile. Pure.

A domain expert can proof-read TRANSITIONS: state → action → (next state, who may, what it needs, who is next).
"""

from collections.abc import Mapping
from dataclasses import dataclass

INSPECTS = frozenset({"inspector", "expert", "district", "city", "system"})
SUPERVISES = frozenset({"district", "department", "city", "system"})
FIXES = frozenset({"school", "township", "department", "district", "inspector", "system"})


@dataclass(frozen=True, slots=True)
class Step:
    """One permitted transition."""

    to: str
    who: frozenset[str]
    next_actor: str | None
    needs_note: bool = False
    needs_photo: bool = False


TRANSITIONS: Mapping[str, Mapping[str, Step]] = {
    "found": {
        "confirm": Step("confirmed", SUPERVISES, "supervisor"),
        "assign": Step("assigned", SUPERVISES, "department"),
        "report_fixed": Step("fix_reported", FIXES, "inspector", needs_photo=True),
        "refute": Step("refuted", SUPERVISES, None, needs_note=True),
    },
    "confirmed": {
        "assign": Step("assigned", SUPERVISES, "department"),
        "report_fixed": Step("fix_reported", FIXES, "inspector", needs_photo=True),
    },
    "assigned": {
        "assign": Step("assigned", SUPERVISES, "department"),
        "accept": Step("fixing", FIXES, "department"),
        "return": Step("returned", FIXES, "supervisor", needs_note=True),
        "report_fixed": Step("fix_reported", FIXES, "inspector", needs_photo=True),
    },
    "returned": {
        "assign": Step("assigned", SUPERVISES, "department"),
    },
    "fixing": {
        "assign": Step("assigned", SUPERVISES, "department"),
        "report_fixed": Step("fix_reported", FIXES, "inspector", needs_photo=True),
    },
    "fix_reported": {
        "refuse_fix": Step("fixing", INSPECTS, "department", needs_note=True),
        "close": Step("closed", INSPECTS, None),
        "assign": Step("assigned", SUPERVISES, "department"),
    },
    "closed": {
        "reopen": Step("assigned", INSPECTS, "department", needs_note=True),
    },
    "refuted": {
        "reopen": Step("found", INSPECTS, "supervisor", needs_note=True),
    },
}
CLOSED = frozenset({"closed", "refuted"})
FACTUAL = frozenset({"report_fixed"})  # claims about the world: kept for a human even when they no longer fit
ACTIONS = tuple(sorted({action for steps in TRANSITIONS.values() for action in steps}))


@dataclass(frozen=True, slots=True)
class Decision:
    """What an intent comes to: a status of PROTOCOL.md, and the step where it is applied."""

    status: str
    step: Step | None = None
    reason: str | None = None
    flags: tuple[str, ...] = ()


def decide(state: str, action: str, role: str, base_ver: int | None, ver: int) -> Decision:
    """Judge `action` against the present `state` (rule: intents; the safe side wins).

    Same effect already there → noop. Permitted → applied, flagged `rebased` where the actor saw an older version.
    A claim that something is fixed, made on an older state it no longer fits → proposed. Else parked: guard_failed.
    """
    steps = TRANSITIONS.get(state, {})
    step = steps.get(action)
    if step is not None:
        if role not in step.who:
            return Decision("parked", reason="forbidden")
        is_stale = base_ver is not None and base_ver != ver
        if is_stale and action == "close":
            return Decision(
                "parked", reason="conflict"
            )  # the base predates something: a person must look again
        return Decision("applied", step, flags=("rebased",) if is_stale else ())
    if action != "assign" and any(
        s.to == state for row in TRANSITIONS.values() for a, s in row.items() if a == action
    ):
        return Decision("noop")
    if action in FACTUAL:
        return Decision("proposed")
    return Decision("parked", reason="guard_failed")


def is_open(state: str) -> bool:
    """Whether a problem in this state still needs somebody."""
    return state not in CLOSED
