"""For whom a problem waits, and how urgent something is. Pure: no database, no clock."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

SOON_DAYS = 7
# role → the words of `next_actor` that mean somebody of this role, within their own territory and line. The unit and the
# township act where the department must: the fix is made at their place. The city's supervisor settles what no district has.
WAITS_FOR: Mapping[str, frozenset[str]] = {
    "city": frozenset({"supervisor"}),
    "district": frozenset({"supervisor", "inspector"}),
    "department": frozenset({"department"}),
    "township": frozenset({"department"}),
    "school": frozenset({"department"}),
}
# layer of a post → the same, for whoever holds it.
POST_WAITS_FOR: Mapping[str, frozenset[str]] = {**WAITS_FOR, "unit": WAITS_FOR["school"]}
URGENCY = ("overdue", "today", "soon", "later", "undated")


def last_soon(today: date) -> date:
    """The last day that is soon."""
    return today + timedelta(days=SOON_DAYS)


def urgency(due_on: date | None, today: date) -> str:
    """How urgent something with this last day is: one of URGENCY."""
    if due_on is None:
        return "undated"
    if due_on < today:
        return "overdue"
    if due_on == today:
        return "today"
    return "soon" if due_on <= last_soon(today) else "later"


def counted(found: Iterable[str]) -> dict[str, int]:
    """How many of each urgency, and in all."""
    counts = dict.fromkeys(URGENCY, 0)
    for name in found:
        counts[name] += 1
    return {**counts, "total": sum(counts.values())}


def in_order(acts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Acts, the most urgent first; what has no day comes last."""
    return sorted(acts, key=lambda act: (act["due_on"] is None, act["due_on"] or date.max, act["ring"], act["name"]))
