"""The draw, as anybody can repeat it: nothing but SHA-256 and sorting. No database, no clock, no randomness.

    ticket of a problem      SHA-256 of "seed|id", as hexadecimal; the lowest are drawn
    strata                   the population is split by its `stratum` (district:grade); of each, ceil(n × percent / 100) are drawn
    who looks                of the inspectors who are not barred for a problem, the one with the lowest SHA-256 of "seed|id|inspector"
    population's digest      SHA-256 of its members, sorted by id, as canonical JSON, a line each

The seed must be known to nobody before the population is fixed: a number drawn in public that day, never one that the office
chooses. The list that is published holds ids alone; whoever has it and the seed has the draw.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

METHOD = "sha256-lowest-of-each-stratum/1"
RESULTS: Mapping[str, str] = {
    "fixed": "已整改属实",
    "not_fixed": "未整改",
    "recurred": "又出现",
    "not_found": "现场已不存在",
}
PASSED = frozenset({"fixed", "not_found"})
Member = Mapping[str, Any]


def ticket(*words: str) -> str:
    """SHA-256 of the words with bars between them."""
    return hashlib.sha256("|".join(words).encode()).hexdigest()


def canonical(population: Iterable[Member]) -> list[dict[str, Any]]:
    """The population as it is digested and published: by id, of each its stratum and who is barred."""
    made = [{"barred": sorted(set(m["barred"])), "id": m["id"], "stratum": m["stratum"]} for m in population]
    return sorted(made, key=lambda member: str(member["id"]))


def digest(population: Iterable[Member]) -> str:
    """SHA-256 of a population."""
    lines = (
        json.dumps(m, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n" for m in canonical(population)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def draw(seed: str, percent: int, population: Sequence[Member], inspectors: Sequence[str]) -> list[dict[str, Any]]:
    """[{id, stratum, inspector}] in order of id. `inspector` None: everybody who may look is barred."""
    strata: dict[str, list[Member]] = {}
    for member in population:
        strata.setdefault(member["stratum"], []).append(member)
    drawn = [
        member for members in strata.values()
        for member in sorted(members, key=lambda m: (ticket(seed, m["id"]), m["id"]))[: -(-len(members) * percent // 100)]
    ]  # fmt: skip
    return [{"id": m["id"], "stratum": m["stratum"], "inspector": _who(seed, m, inspectors)}
            for m in sorted(drawn, key=lambda m: str(m["id"]))]  # fmt: skip


def _who(seed: str, member: Member, inspectors: Sequence[str]) -> str | None:
    free = sorted(set(inspectors) - set(member["barred"]))
    return min(free, key=lambda name: (ticket(seed, member["id"], name), name), default=None)


def published(seed: str, percent: int, population: Sequence[Member], inspectors: Sequence[str]) -> dict[str, Any]:
    """The whole draw as it is published."""
    return {
        "method": METHOD, "seed": seed, "percent": percent, "inspectors": sorted(set(inspectors)), "population": canonical(population),
        "digest": digest(population), "drawn": draw(seed, percent, population, inspectors),
    }  # fmt: skip


def faults(told: Mapping[str, Any]) -> list[str]:
    """Where a published draw is not what its seed and list make; none: it is. Raises KeyError, TypeError for what is no draw."""
    if told["method"] != METHOD:
        return [f"method {told['method']} is not {METHOD}"]
    again = published(told["seed"], told["percent"], told["population"], told["inspectors"])
    found = []
    if again["population"] != told["population"]:
        found.append("the population is not in canonical order")
    if again["digest"] != told["digest"]:
        found.append(f"the list's digest is {again['digest']}, told is {told['digest']}")
    ours, theirs = ({row["id"]: row for row in each["drawn"]} for each in (again, told))
    found += [
        f"{name}: drawn {ours.get(name)}, told {theirs.get(name)}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]
    return found
