"""What an intent comes to when the world has moved on since its author looked (rule P24). Pure; no
states are named here.

The states themselves are the product's (`problems/rules.py`); this is the order in which the questions
are asked.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Situation:
    """The answers that the present state gives to an intent."""

    is_already_so: bool = False
    is_permitted: bool = False
    is_allowed_to_actor: bool = True
    is_target_deleted: bool = False
    is_merged_elsewhere: bool = False
    is_base_stale: bool = False
    needs_fresh_base: bool = False
    is_claim: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Status, reason and flags of PROTOCOL.md."""

    status: str
    reason: str | None = None
    flags: tuple[str, ...] = ()


def decide(at: Situation) -> Verdict:
    """Judge an intent. A claim about the world (fixed, dangerous) is never refused outright: a person
    looks at it.

    `needs_fresh_base`: an action that only holds for what its author saw (closing), which therefore
    yields to any later change; the safe side wins.
    """
    if at.is_merged_elsewhere:
        return Verdict("redirected")
    if at.is_target_deleted:
        return Verdict("parked", "target_deleted")
    if not at.is_allowed_to_actor:
        return Verdict("parked", "forbidden")
    if at.is_already_so:
        return Verdict("noop")
    if at.is_permitted and at.is_base_stale and at.needs_fresh_base:
        return Verdict("parked", "conflict")
    if at.is_permitted:
        return Verdict("applied", flags=("rebased",) if at.is_base_stale else ())
    if at.is_claim:
        return Verdict("proposed")
    return Verdict("parked", "guard_failed")
