"""Reading and checking programme packs: files in, frozen facts out. No database, no clock."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from backend.packs import SCHEMA


@dataclass(frozen=True, slots=True)
class Item:
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
    id: str
    working_days: int
    basis: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of one programme. `body` is its plain JSON form, `digest` the SHA-256 of that."""

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
    codes: frozenset[str] = field(default_factory=frozenset)
    by_code: Mapping[str, Item] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PackProblem:
    path: str
    pointer: str
    reason: str


class BadPack(Exception):
    """A pack that cannot be used; `problems` names every fault."""

    def __init__(self, problems: list[PackProblem]) -> None:
        super().__init__("; ".join(f"{p.path}{p.pointer}: {p.reason}" for p in problems[:5]))
        self.problems = problems


def pack_from_body(body: Mapping[str, Any]) -> Pack:
    """Build a pack from its (checked) JSON form."""
    items = tuple(
        Item(i["code"], i["section"], i["text"]["zh"], i["text"]["en"], i["lead"], tuple(i["supporting"]),
             tuple(i["basis"]), i["grade"], i["category"], i["deadline"], i["parameter"], i["min_photos"])
        for i in body["items"] if i["enabled"]
    )  # fmt: skip
    duties = tuple(
        DutyRule(
            r["id"],
            r["version"],
            date.fromisoformat(r["valid_from"]),
            _day(r["valid_to"]),
            r["match"],
            r["lead"],
            tuple(r["supporting"]),
        )
        for r in body["duty_rules"]
    )
    classes = {
        k: DeadlineClass(k, c["working_days"], c["basis"]) for k, c in body["deadline_classes"].items()
    }
    canonical = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Pack(
        body["programme"], body["version"], body["name"]["zh"], body["name"]["en"], date.fromisoformat(body["valid_from"]),
        tuple(body["site_kinds"]), items, classes, duties, body, hashlib.sha256(canonical.encode()).hexdigest(),
        frozenset(i.code for i in items), {i.code: i for i in items},
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def read_pack(path: Path, departments: frozenset[str] | None = None) -> Pack:
    """Read one pack file. Raises BadPack naming every fault."""
    problems = check_pack(path, departments)
    if problems:
        raise BadPack(problems)
    return pack_from_body(yaml.safe_load(path.read_text(encoding="utf-8")))


def check_pack(path: Path, departments: frozenset[str] | None = None) -> list[PackProblem]:
    """Faults of a pack file: shape by the JSON schema, then references between its parts."""
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        return [PackProblem(path.name, "", f"cannot be read: {fault}")]
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
    shape = [
        PackProblem(path.name, "/" + "/".join(map(str, e.instance_path)), e.message)
        for e in validator.iter_errors(body)
    ]
    return shape or [
        PackProblem(path.name, pointer, reason) for pointer, reason in _crossed(body, departments)
    ]


def _crossed(body: Mapping[str, Any], departments: frozenset[str] | None) -> list[tuple[str, str]]:
    known = {
        "section": {s["code"] for s in body["sections"]},
        "category": {c["id"] for c in body["categories"]},
        "deadline": set(body["deadline_classes"]),
        "parameter": {r["id"] for r in body["distance_rules"]} | {None},
    }
    faults, seen = [], set()
    for n, item in enumerate(body["items"]):
        faults += [
            (f"/items/{n}/{k}", f"unknown {k} {item[k]!r}") for k, ids in known.items() if item[k] not in ids
        ]
        if item["code"] in seen:
            faults.append((f"/items/{n}/code", f"{item['code']} is given twice"))
        seen.add(item["code"])
        if departments is not None:
            wrong = [d for d in (item["lead"], *item["supporting"]) if d not in departments]
            faults += [(f"/items/{n}/lead", f"unknown department {d!r}") for d in wrong]
    for kind in ("distance_rules", "duty_rules"):
        for n, rule in enumerate(body[kind]):
            if rule["valid_to"] and rule["valid_to"] < rule["valid_from"]:
                faults.append((f"/{kind}/{n}/valid_to", "ends before it begins"))
    return faults
