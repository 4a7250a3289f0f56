"""Three-way merge of edited fields: an edit carries what its author saw (`was`) and what it set (`now`)
(rule P25). Pure.

No clock decides anything here (D8), and no overridden value is lost: it comes back as a conflict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

POLICIES = ("server", "device", "union", "max", "manual")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that both sides changed differently: what it was, what the server has, what the device
    wanted."""

    field: str
    was: Any
    theirs: Any
    mine: Any
    policy: str


@dataclass(slots=True)
class Merged:
    """Fields to write, and the conflicts to keep for people."""

    apply: dict[str, Any] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)


def merge(
    theirs: Mapping[str, Any], edits: Mapping[str, Mapping[str, Any]], policies: Mapping[str, str]
) -> Merged:
    """Apply `edits` {field: {was, now}} to the present state `theirs`; a field without a policy keeps
    the server's.

    Untouched since the device saw it → taken; already so → nothing; else the policy decides and a
    conflict is noted. Raises ValueError for a policy that is not in POLICIES.
    """
    merged = Merged()
    for name, edit in sorted(edits.items()):
        present, was, now = theirs.get(name), edit.get("was"), edit.get("now")
        if present == now:
            continue
        if present == was:
            merged.apply[name] = now
            continue
        policy = policies.get(name, "server")
        merged.conflicts.append(Conflict(name, was, present, now, policy))
        chosen = _choose(policy, was, present, now)
        if chosen != present:
            merged.apply[name] = chosen
    return merged


def _choose(policy: str, was: Any, theirs: Any, mine: Any) -> Any:
    if policy in ("server", "manual"):
        return theirs
    if policy == "device":
        return mine
    if policy == "max":
        return max(theirs, mine)
    if policy == "union":
        removed = {v for v in was or [] if v not in (mine or [])}
        kept = [v for v in theirs or [] if v not in removed]
        return kept + [v for v in mine or [] if v not in (theirs or []) and v not in (was or [])]
    raise ValueError(f"unknown merge policy {policy!r}")
