"""Which duty rule decides, and until when. Pure: items, rules and dates in; a duty or a deadline with its reason out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

_FIELDS = (
    "item",
    "category",
    "site_kind",
    "district",
    "township",
    "site",
)  # what an override may ask for; more asked is more specific


@dataclass(frozen=True, slots=True)
class Duty:
    """Who leads, who supports, and by which rule."""

    lead: str
    supporting: tuple[str, ...]
    rule_id: str
    rule_version: int


def resolve(item: Any, programme: str, version: int, rules: Sequence[Any], facts: Mapping[str, Any], on: date) -> Duty:
    """The most specific dated override that fits `facts`, else the item's own lead and supporting departments."""
    fitting = [rule for rule in rules if _holds(rule, on) and _fits(rule.match, facts)]
    if fitting:
        best = max(fitting, key=lambda rule: (len(rule.match), rule.version, rule.id))
        return Duty(best.lead, tuple(best.supporting), best.id, best.version)
    return Duty(item.lead, tuple(item.supporting), f"{programme}/{item.code}", version)


def _holds(rule: Any, on: date) -> bool:
    return bool(rule.valid_from <= on and (rule.valid_to is None or on <= rule.valid_to))


def _fits(match: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    return all(name in _FIELDS and facts.get(name) == wanted for name, wanted in match.items())


def deadline(
    working_days: int, class_id: str, basis: Any, start_on: date, add_workdays: Callable[[date, int], date]
) -> tuple[date | None, dict[str, Any]]:
    """Day by which the fix is due, counted in working days after `start_on`, with its reason.

    A year whose calendar is not known gives no date and says so; a date is never guessed.
    """
    reason = {"class": class_id, "working_days": working_days, "from": start_on.isoformat(), "basis": basis}
    try:
        return add_workdays(start_on, working_days), reason
    except LookupError as unknown:
        return None, {**reason, "unknown": str(unknown)}


def chain(
    duty: Duty, district_id: str | None, township_id: str | None, site_id: str | None, city_id: str
) -> list[dict[str, Any]]:
    """The posts to be asked for, layer by layer: city, department (lead, supporting), district, township, unit."""
    at = district_id or city_id
    links: list[dict[str, Any]] = [{"layer": "city", "area_id": city_id, "department_id": ""}]
    for department in (duty.lead, *duty.supporting):
        links.append(
            {
                "layer": "department",
                "area_id": at,
                "department_id": department,
                "is_lead": department == duty.lead,
            }
        )
    if district_id:
        links.append({"layer": "district", "area_id": district_id, "department_id": ""})
    if township_id:
        links.append({"layer": "township", "area_id": township_id, "department_id": ""})
    if site_id:
        links.append({"layer": "unit", "site_id": site_id, "area_id": township_id, "department_id": ""})
    return links
