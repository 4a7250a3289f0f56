"""What an intent comes to when the world has moved on since its author looked (rules P24, P74). Pure; no
states are named here.

The states themselves are the product's (`problems/rules.py`); this is the order in which the questions
are asked.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Situation:
    """The answers that the present state, and what its author had not seen of it, give to an intent."""

    is_already_so: bool = False
    is_permitted: bool = False
    is_allowed_to_actor: bool = True
    is_target_deleted: bool = False
    is_merged_elsewhere: bool = False
    is_base_stale: bool = False  # something other than facts was written that its author had not seen
    needs_fresh_base: bool = False  # and this action holds only for what its author saw
    is_contradicted: bool = False  # somebody has said since that the danger is there
    is_overtaken: bool = False  # somebody else has taken the same decision, otherwise, since
    is_claim: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Status, reason and flags of PROTOCOL.md."""

    status: str
    reason: str | None = None
    flags: tuple[str, ...] = ()


def decide(at: Situation) -> Verdict:
    """Judge an intent. A claim about the world (fixed, dangerous) is never refused for coming late: a
    person looks at it.

    An action that ends a danger yields to whoever said meanwhile that it is there (`is_contradicted`),
    claim or not: the safe side wins. Of two rival decisions the server's stands (`is_overtaken`).
    """
    if at.is_merged_elsewhere:
        return Verdict("redirected")
    if at.is_target_deleted:
        return Verdict("parked", "target_deleted")
    if not at.is_allowed_to_actor:
        return Verdict("parked", "forbidden")
    if at.is_already_so:
        return Verdict("noop")
    if at.is_contradicted:
        return Verdict("parked", "conflict")
    if at.is_overtaken:
        return Verdict("superseded")
    if at.is_permitted and not (at.is_base_stale and at.needs_fresh_base):
        return Verdict("applied", flags=("rebased",) if at.is_base_stale else ())
    if at.is_claim:
        return Verdict("proposed")
    return Verdict("parked", "conflict" if at.is_permitted else "guard_failed")
