"""Reading and checking programme packs: files in, frozen facts out.

Never here: a database, a clock, an answer that somebody gave, a fact of law written as code.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from backend.packs import SCHEMA

Fault = tuple[tuple[str | int, ...], str]  # where in the body, and what is wrong there


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the checklist."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `parameter`: id of a DistanceRule; `element`: D or C of GB 35181; `unit_duty`: the duty
    is the inspected unit's own and `lead` only sees to it."""

    code: str
    section: str
    text_zh: str
    text_en: str
    lead: str
    supporting: tuple[str, ...]
    basis: tuple[Mapping[str, Any], ...]
    grade: str
    category: str
    deadline: str
    parameter: str | None
    min_photos: int
    unit_duty: bool = False
    element: str | None = None


@dataclass(frozen=True, slots=True)
class DistanceRule:
    """How near is too near. `variant_of` names the rule of which this row is another place's wording."""

    id: str
    variant_of: str | None
    object_zh: str
    object_en: str
    school_levels: tuple[str, ...]
    metres: float
    origin: str
    metric: str
    basis: Mapping[str, Any]
    scope: str
    valid_from: date
    valid_to: date | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class DutyRule:
    """A dated override of an item's own departments; `match` names the facts it asks for."""

    id: str
    version: int
    valid_from: date
    valid_to: date | None
    match: Mapping[str, Any]
    lead: str
    supporting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeadlineClass:
    """Working days to put something right; `basis` is None where no law gives the number."""

    id: str
    working_days: int
    basis: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of one programme. `body`: its plain JSON form; `digest`: SHA-256 of that in canonical form;
    `items`: the enabled ones; `distance_rules`: all of them, with their own `enabled`."""

    programme: str
    version: int
    name_zh: str
    name_en: str
    valid_from: date
    site_kinds: tuple[str, ...]
    items: tuple[Item, ...]
    deadline_classes: Mapping[str, DeadlineClass]
    duty_rules: tuple[DutyRule, ...]
    body: Mapping[str, Any]
    digest: str
    codes: frozenset[str]
    by_code: Mapping[str, Item]
    sections: tuple[Section, ...]
    distance_rules: tuple[DistanceRule, ...]


@dataclass(frozen=True, slots=True)
class PackProblem:
    """One fault: file name, JSON pointer into it, reason, and the line (1-based) where it is known."""

    path: str
    pointer: str
    reason: str
    line: int | None = None


class BadPack(Exception):
    """A pack that cannot be used; `problems` names every fault."""

    def __init__(self, problems: Sequence[PackProblem]) -> None:
        super().__init__("; ".join(f"{p.path}:{p.line or ''}{p.pointer}: {p.reason}" for p in problems[:5]))
        self.problems = list(problems)


def digest_of(body: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of `body`: keys sorted, no spaces, UTF-8."""
    canonical = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def pack_from_body(body: Mapping[str, Any]) -> Pack:
    """Build a pack from its JSON form, which `check_pack` or `check_body` has found sound."""
    items = tuple(_item(row) for row in body["items"] if row["enabled"])
    return Pack(
        programme=body["programme"],
        version=body["version"],
        name_zh=body["name"]["zh"],
        name_en=body["name"]["en"],
        valid_from=date.fromisoformat(body["valid_from"]),
        site_kinds=tuple(body["site_kinds"]),
        items=items,
        deadline_classes={
            key: DeadlineClass(key, row["working_days"], row["basis"]) for key, row in body["deadline_classes"].items()
        },
        duty_rules=tuple(_duty(row) for row in body["duty_rules"]),
        body=body,
        digest=digest_of(body),
        codes=frozenset(item.code for item in items),
        by_code={item.code: item for item in items},
        sections=tuple(Section(s["code"], s["name"]["zh"], s["name"]["en"]) for s in body["sections"]),
        distance_rules=tuple(_distance(row) for row in body["distance_rules"]),
    )


def _item(row: Mapping[str, Any]) -> Item:
    plain = ("code", "section", "lead", "grade", "category", "deadline", "parameter", "min_photos")
    return Item(
        text_zh=row["text"]["zh"], text_en=row["text"]["en"], supporting=tuple(row["supporting"]),
        basis=tuple(row["basis"]), unit_duty=row.get("unit_duty", False), element=row.get("element"),
        **{name: row[name] for name in plain},
    )  # fmt: skip


def _distance(row: Mapping[str, Any]) -> DistanceRule:
    plain = ("id", "metres", "origin", "metric", "basis", "scope", "enabled")
    return DistanceRule(
        variant_of=row.get("variant_of"), object_zh=row["object"]["zh"], object_en=row["object"]["en"],
        school_levels=tuple(row["school_levels"]), valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=_day(row["valid_to"]), **{name: row[name] for name in plain},
    )  # fmt: skip


def _duty(row: Mapping[str, Any]) -> DutyRule:
    return DutyRule(row["id"], row["version"], date.fromisoformat(row["valid_from"]), _day(row["valid_to"]),
                    row["match"], row["lead"], tuple(row["supporting"]))  # fmt: skip


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def read_pack(path: Path, departments: frozenset[str] | None = None) -> Pack:
    """Read one pack file. Raises BadPack naming every fault; see `check_pack` for `departments`."""
    if problems := check_pack(path, departments):
        raise BadPack(problems)
    return pack_from_body(_plain(yaml.safe_load(path.read_text(encoding="utf-8"))))


def check_pack(path: Path, departments: frozenset[str] | None = None) -> list[PackProblem]:
    """Faults of a pack file: shape by the JSON schema, then references between its parts.

    `departments`: the ids a city has; without them the departments are not checked.
    """
    try:
        text = path.read_text(encoding="utf-8")
        body, tree = _plain(yaml.safe_load(text)), yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as fault:
        return [PackProblem(path.name, "", f"cannot be read: {fault}")]
    return [
        PackProblem(path.name, "".join(f"/{step}" for step in where), reason, _line(tree, where))
        for where, reason in check_body(body, departments)
    ]


def check_body(body: Any, departments: frozenset[str] | None = None) -> list[Fault]:
    """Faults of a pack's JSON form, as (place, reason); references are looked at once the shape is right."""
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
    shape = [(tuple(fault.instance_path), fault.message) for fault in validator.iter_errors(body)]
    return shape or [*_references(body), *_twice(body), *_days(body), *_strangers(body, departments)]


def _plain(value: Any) -> Any:
    """YAML reads an unquoted 2026-03-01 as a date; JSON knows no dates, and `body` is JSON."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def _line(node: Any, where: Sequence[str | int]) -> int | None:
    """Line of the deepest part of `where` that the file has."""
    for step in where:
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            found = node.value[step]
        else:
            found = None
        if found is None:
            break
        node = found
    return node.start_mark.line + 1 if node is not None else None


def _references(body: Mapping[str, Any]) -> Iterator[Fault]:
    rules = {row["id"] for row in body["distance_rules"]}
    known = {
        "section": {row["code"] for row in body["sections"]},
        "category": {row["id"] for row in body["categories"]},
        "deadline": set(body["deadline_classes"]),
        "parameter": rules | {None},
    }
    for n, item in enumerate(body["items"]):
        for name, ids in known.items():
            if item[name] not in ids:
                yield ("items", n, name), f"unknown {name} {item[name]!r}"
    for n, rule in enumerate(body["distance_rules"]):
        if rule.get("variant_of") not in rules | {None}:
            yield ("distance_rules", n, "variant_of"), f"unknown distance rule {rule['variant_of']!r}"
    matchable = {"item": {row["code"] for row in body["items"]}, "category": known["category"]}
    for n, duty in enumerate(body["duty_rules"]):
        for name, ids in matchable.items():
            if name in duty["match"] and duty["match"][name] not in ids:
                yield ("duty_rules", n, "match", name), f"unknown {name} {duty['match'][name]!r}"


def _twice(body: Mapping[str, Any]) -> Iterator[Fault]:
    for part, names in (("items", ("code",)), ("sections", ("code",)), ("categories", ("id",)),
                        ("distance_rules", ("id",)), ("duty_rules", ("id", "version"))):  # fmt: skip
        seen = set()
        for n, row in enumerate(body[part]):
            key = tuple(row[name] for name in names)
            if key in seen:
                yield (part, n, names[0]), f"{row[names[0]]} is given twice"
            seen.add(key)


def _days(body: Mapping[str, Any]) -> Iterator[Fault]:
    spans: list[tuple[tuple[str | int, ...], Mapping[str, Any]]] = [((), body)]
    for part in ("distance_rules", "duty_rules"):
        spans += [((part, n), row) for n, row in enumerate(body[part])]
    for where, row in spans:
        try:
            start_on, end_on = date.fromisoformat(row["valid_from"]), _day(row.get("valid_to"))
        except ValueError as fault:
            yield (*where, "valid_from"), f"no such day: {fault}"
            continue
        if end_on and end_on < start_on:
            yield (*where, "valid_to"), "ends before it begins"


def _strangers(body: Mapping[str, Any], departments: frozenset[str] | None) -> Iterator[Fault]:
    if departments is None:
        return
    for part in ("items", "duty_rules"):
        for n, row in enumerate(body[part]):
            if row["lead"] not in departments:
                yield (part, n, "lead"), f"unknown department {row['lead']!r}"
            for name in sorted({*row["supporting"]} - departments):
                yield (part, n, "supporting"), f"unknown department {name!r}"
