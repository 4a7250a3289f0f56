"""Terms of office: which are new, which ended, which give a post two holders. Pure: no database, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

Term = dict[str, Any]  # post_id, person, from_on, to_on (days; to_on included, None: still)
_COLUMNS = frozenset({"post_id", "person", "from_on", "to_on"})


@dataclass(slots=True)
class HoldingDifference:
    """`new` terms; `changed` ones ({n, person, to_on}); `clashes`: "post from day" of overlapping ones."""

    new: list[Term] = field(default_factory=list)
    changed: list[Term] = field(default_factory=list)
    clashes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many terms would be written, or stand in the way of writing."""
        return len(self.new) + len(self.changed) + len(self.clashes)


def compare_terms(rows: Sequence[Mapping[str, Any]], recorded: Iterable[Mapping[str, Any]]) -> HoldingDifference:
    """Compare the terms of files (ISO days) with the record's. A term is known by its post and first day.

    The files may end a term that is open in the record, and correct its person; they never reopen one that
    has ended, since `post.hold` may have done that after they were written. Raises ValueError for a bad day.
    """
    made = HoldingDifference()
    known = {(r["post_id"], r["from_on"]): dict(r) for r in recorded}
    for row in map(_term, rows):
        there = known.get((row["post_id"], row["from_on"]))
        if there is None:
            made.new.append(row)
            continue
        after = {"person": row["person"], "to_on": there["to_on"] or row["to_on"]}
        if any(there[name] != value for name, value in after.items()):
            there |= after
            made.changed.append({"n": there["n"], **after})
    made.clashes = _overlaps([*known.values(), *made.new])
    return made


def vacant_from(terms: Iterable[tuple[date, date | None]], today: date, days: int) -> date | None:
    """The first day from `today` to `days` later on which no term (first, last day; None: still) holds; None: held throughout."""
    day = today
    for first, last in sorted(terms, key=lambda term: term[0]):
        if first > day:
            break
        if last is None:
            return None
        day = max(day, last + timedelta(days=1))
    return day if day <= today + timedelta(days=days) else None


def _term(row: Mapping[str, Any]) -> Term:
    if row.keys() != _COLUMNS:
        raise ValueError(f"unknown or missing columns: {', '.join(sorted(row.keys() ^ _COLUMNS))}")
    to_on = date.fromisoformat(row["to_on"]) if row["to_on"] else None
    return {**row, "from_on": date.fromisoformat(row["from_on"]), "to_on": to_on}


def _overlaps(terms: Sequence[Mapping[str, Any]]) -> list[str]:
    found, last = [], dict[str, date]()
    for term in sorted(terms, key=lambda t: (t["post_id"], t["from_on"])):
        post, end = term["post_id"], term["to_on"] or date.max
        if last.get(post, date.min) >= term["from_on"]:
            found.append(f"{post} from {term['from_on']}")
        last[post] = max(end, last.get(post, date.min))
    return found
