"""What a device gets of each type: loaders of many at once, small and flat. The one table of the feed's payloads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.inspections import queries as inspections
from backend.problems import queries as problems
from backend.problems.schemas import ProblemOut
from backend.programmes import queries as programmes
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory

Loader = Callable[[Session, Sequence[str]], dict[str, dict[str, Any]]]
_problem = ProblemOut()


def _areas(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = {a.id: a for a in territory.areas(session, SYSTEM) if a.id in set(ids)}
    return {
        i: {"id": i, "level": a.level, "name": a.name_zh, "name_en": a.name_en, "parent": a.parent_id}
        for i, a in found.items()
    }


def _departments(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        d.id: {"id": d.id, "name": d.name_zh, "name_en": d.name_en}
        for d in territory.departments(session, SYSTEM)
        if d.id in set(ids)
    }


def _sites(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        i: {"id": i, "kind": s.kind, "cat": s.category, "name": s.name, "tw": s.township_id, "at": [round(s.lon, 5), round(s.lat, 5)],
            **({"ring": _ring(s.perimeter)} if s.perimeter else {})}
        for i, s in territory.sites_by_ids(session, SYSTEM, ids).items()
    }  # fmt: skip


def _ring(perimeter: Mapping[str, Any]) -> list[list[int]]:
    """Outer ring as differences in hundred-thousandths of a degree (1 m): a third of the bytes on a thin line."""
    ring = perimeter["coordinates"][0] if perimeter["type"] == "Polygon" else perimeter["coordinates"][0][0]
    whole = [[round(x * 1e5), round(y * 1e5)] for x, y in ring]
    return [whole[0], *([b[0] - a[0], b[1] - a[1]] for a, b in zip(whole, whole[1:], strict=False))]


def _templates(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
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


def _sweeps(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        s.id: {"id": s.id, "title": s.title, "programmes": s.programmes, "state": s.state}
        for s in sweeps.sweeps(session, SYSTEM)
        if s.id in set(ids)
    }


def _teams(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        i: {"id": i, "name": t.name, "areas": t.areas}
        for i, t in sweeps.teams_by_ids(session, SYSTEM, ids).items()
    }


def _tasks(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        i: {"id": i, "site": t.site_id, "programme": t.programme, "state": t.state}
        for i, t in sweeps.tasks_by_ids(session, SYSTEM, ids).items()
    }


def _inspections(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
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


def _problems(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {i: _problem.dump(p) for i, p in problems.by_ids(session, SYSTEM, ids).items()}  # type: ignore[misc]


LOADERS: Mapping[str, Loader] = {
    "area": _areas, "department": _departments, "site": _sites, "template": _templates, "sweep": _sweeps,
    "team": _teams, "task": _tasks, "inspection": _inspections, "problem": _problems,
}  # fmt: skip


def load(
    session: Session, actor: Actor, wanted: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Payloads of many entities, by (type, id). The buckets of the feed have decided that `actor` may see them (P16)."""
    return {
        (kind, i): data for kind, ids in wanted.items() for i, data in LOADERS[kind](session, ids).items()
    }
