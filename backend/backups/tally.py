"""What a proof yields and counts, and how many of its findings are told. Data only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

Finding = tuple[str, str]  # where, reason
NAMED = 10


@dataclass(slots=True)
class Tally:
    """Rows (or files) one proof has looked at, and what else it wants to say."""

    rows: int = 0
    more: dict[str, Any] = field(default_factory=dict)


def told(proof: Callable[[Tally], Iterator[Finding]]) -> dict[str, Any]:
    """Run a proof to its end: {ok, rows, broken, first: [{where, reason}]}; the first findings are named,
    all are counted."""
    tally = Tally()
    found = proof(tally)
    first = list(islice(found, NAMED))
    broken = len(first) + sum(1 for _ in found)
    named = [{"where": where, "reason": reason} for where, reason in first]
    return {"ok": not broken, "rows": tally.rows, "broken": broken, "first": named, **tally.more}
