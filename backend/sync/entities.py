"""What a device gets of each type: loaders of many at once, small and flat. The one table of the feed's payloads.

A payload has a newest form; what a device of an older schema reads is made from it (P42). No feed, no buckets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM
from backend.inspections import queries as inspections
from backend.problems import queries as problems
from backend.problems.schemas import ProblemOut
from backend.programmes import queries as programmes
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory
from sync_protocol import rings

Payload = dict[str, Any]
Loader = Callable[[Session, Sequence[str]], dict[str, Payload]]
_problem = ProblemOut()


def _areas(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    return {
        a.id: {"id": a.id, "level": a.level, "name": a.name_zh, "name_en": a.name_en, "parent": a.parent_id}
        for a in territory.area_cards(session, SYSTEM, ids)
    }


def _departments(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    wanted = set(ids)
    return {
        d.id: {"id": d.id, "name": d.name_zh, "name_en": d.name_en}
        for d in territory.departments(session, SYSTEM)
        if d.id in wanted
    }


def _sites(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    found = {}
    for s in territory.site_cards(session, SYSTEM, ids):
        at = [round(s.lon, 5), round(s.lat, 5)]
        ring = {"ring": rings.pack(at, _outer(s.perimeter))} if s.perimeter else {}
        found[s.id] = {
            "id": s.id,
            "kind": s.kind,
            "cat": s.category,
            "name": s.name,
            "tw": s.township_id,
            "at": at,
            **ring,
        }
    return found


def _outer(perimeter: Mapping[str, Any]) -> Sequence[Sequence[float]]:
    ring: Sequence[Sequence[float]] = perimeter["coordinates"][0]
    return ring if perimeter["type"] == "Polygon" else perimeter["coordinates"][0][0]


def _site_of_schema_1(site: Payload) -> Payload:
    """The outline as a first absolute point and differences, closed, in hundred-thousandths of a degree."""
    if "ring" not in site:
        return site
    ring = [[round(x * rings.DEGREE), round(y * rings.DEGREE)] for x, y in rings.unpack(site["at"], site["ring"])]
    steps = [[b[0] - a[0], b[1] - a[1]] for a, b in zip(ring, ring[1:], strict=False)]
    return {**site, "ring": [ring[0], *steps]}


def _templates(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    found = {}
    for template in ids:
        programme, _, version = template.rpartition(":")
        pack = programmes.pack(session, programme, int(version))
        if pack is not None:
            body = pack.body
            items = [
                {k: i[k] for k in ("code", "section", "text", "grade", "parameter", "min_photos")}
                for i in body["items"]
                if i["enabled"]
            ]
            found[template] = {"id": template, "programme": programme, "version": pack.version, "name": body["name"],
                               "sections": body["sections"], "items": items, "distance_rules": body["distance_rules"]}  # fmt: skip
    return found


def _sweeps(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    wanted = set(ids)
    return {
        s.id: {"id": s.id, "title": s.title, "programmes": s.programmes, "state": s.state}
        for s in sweeps.sweeps(session, SYSTEM)
        if s.id in wanted
    }


def _teams(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    return {
        i: {"id": i, "name": t.name, "areas": t.areas} for i, t in sweeps.teams_by_ids(session, SYSTEM, ids).items()
    }


def _tasks(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    return {
        t.id: {"id": t.id, "site": t.site_id, "programme": t.programme, "state": t.state}
        for t in sweeps.task_cards(session, SYSTEM, ids)
    }


def _inspections(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    found = inspections.by_ids(session, SYSTEM, ids)
    return {
        i: {
            "id": i,
            "task": r.task_id,
            "site": r.site_id,
            "failed": r.failed,
            "missing_photos": r.missing_photos,
        }
        for i, r in found.items()
    }


def _problems(session: Session, ids: Sequence[str]) -> dict[str, Payload]:
    return {i: _problem.dump(p) for i, p in problems.by_ids(session, SYSTEM, ids).items()}


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of the feed: its loader, the first schema that knows it, and `older`: {schema: from the newest form
    the one that this schema and those before it read}."""

    loader: Loader
    since: int = 1
    older: Mapping[int, Callable[[Payload], Payload]] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    "area": Kind(_areas), "department": Kind(_departments), "site": Kind(_sites, older={1: _site_of_schema_1}),
    "template": Kind(_templates), "sweep": Kind(_sweeps), "team": Kind(_teams), "task": Kind(_tasks),
    "inspection": Kind(_inspections), "problem": Kind(_problems),
}  # fmt: skip


def known(schema: int) -> tuple[str, ...]:
    """P42: the types that a device of `schema` reads; rows of others are not sent to it."""
    return tuple(name for name, kind in KINDS.items() if kind.since <= schema)


def differing(one: int, other: int) -> tuple[str, ...]:
    """P42: the types that devices of the two schemas read differently."""
    low, high = sorted((one, other))
    return tuple(
        name for name, kind in KINDS.items()
        if low < kind.since <= high or any(low <= schema < high for schema in kind.older)
    )  # fmt: skip


def load(session: Session, wanted: Mapping[str, Sequence[str]], schema: int) -> dict[tuple[str, str], Payload]:
    """Payloads of many entities, by (type, id). The buckets of the feed have decided who may see them (P16)."""
    found = {}
    for name, ids in wanted.items():
        kind = KINDS[name]
        older = next((kind.older[n] for n in sorted(kind.older) if n >= schema), None)
        for i, data in kind.loader(session, ids).items():
            found[name, i] = older(data) if older else data
    return found
