"""Which team sweeps which site. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def share(sites: Iterable[Any], teams: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Site id → team id: the sites of a district go round its teams in blocks of a township (less driving).

    A district without a team is left out; the caller says so.
    """
    by_district: dict[str, list[str]] = {}
    for team in teams:
        for area in team["areas"]:
            by_district.setdefault(area, []).append(team["id"])
    given, turn = dict[str, str](), dict[str, dict[str, str]]()
    for site in sites:
        candidates = by_district.get(site.district_id)
        if candidates:
            seen = turn.setdefault(site.district_id, {})
            given[site.id] = seen.setdefault(site.township_id, candidates[len(seen) % len(candidates)])
    return given
