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
    wanted, and what stands now. `is_joined`: the policy made one value of both (P72), none was overridden.
    """

    field: str
    was: Any
    theirs: Any
    mine: Any
    policy: str
    kept: Any = None
    is_joined: bool = False


@dataclass(slots=True)
class Merged:
    """Fields to write, and the conflicts to keep for people."""

    apply: dict[str, Any] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)


def merge(theirs: Mapping[str, Any], edits: Mapping[str, Mapping[str, Any]], policies: Mapping[str, str]) -> Merged:
    """Apply `edits` {field: {was, now}} to the present state `theirs`; a field without a policy keeps
    the server's.

    Untouched since the device saw it → taken; already so → nothing; else the policy decides and a
    conflict is noted. Values that a policy cannot join (a text under `max`, no list under `union`) stay
    as the server has them. Raises ValueError for a policy that is not in POLICIES and for an edit that
    does not have exactly `was` and `now`: an absent `now` is not an order to empty the field.
    """
    merged = Merged()
    for name, edit in sorted(edits.items()):
        if not isinstance(edit, Mapping) or set(edit) != {"was", "now"}:
            raise ValueError(f"an edit has exactly was and now: {name}")
        present, was, now = theirs.get(name), edit["was"], edit["now"]
        if same(present, now):
            continue
        if same(present, was):
            merged.apply[name] = now
            continue
        policy = policies.get(name, "server")
        chosen, is_joined = _choose(policy, was, present, now)
        merged.conflicts.append(Conflict(name, was, present, now, policy, chosen, is_joined))
        if not same(chosen, present):
            merged.apply[name] = chosen
    return merged


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values, as every implementation sees it: 1 is 1.0, but true is not 1 (in Python
    it would be)."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return bool(one == other)


def _choose(policy: str, was: Any, theirs: Any, mine: Any) -> tuple[Any, bool]:
    if policy not in POLICIES:
        raise ValueError(f"unknown merge policy {policy!r}")
    if policy == "device":
        return mine, False
    if policy == "max" and _is_number(theirs) and _is_number(mine):
        return max(theirs, mine), True
    if policy == "union" and all(v is None or isinstance(v, list) for v in (was, theirs, mine)):
        return _union(was or [], theirs or [], mine or []), True
    return theirs, False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _union(was: list[Any], theirs: list[Any], mine: list[Any]) -> list[Any]:
    """What either side added, without what the device took away; the server's order, then the device's."""
    kept = [v for v in theirs if _holds(mine, v) or not _holds(was, v)]
    return kept + [v for v in mine if not _holds(theirs, v) and not _holds(was, v)]


def _holds(values: list[Any], wanted: Any) -> bool:
    return any(same(value, wanted) for value in values)
