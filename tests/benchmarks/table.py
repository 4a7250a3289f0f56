"""One line of the table of measurements. Nothing is measured here."""

from typing import Any


def row(what: str, median: str, limit: str = "-", ratio: str = "-", goal: str = "-") -> dict[str, Any]:
    """What was measured, its median, the limit measured beside it, their ratio, the goal."""
    return {"what": what, "median": median, "limit": limit, "ratio": ratio, "goal": goal}
