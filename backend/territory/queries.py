"""Reads of the territory; each begins with who asks. What every op needs is kept per version (facts)."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry import shape
from sqlalchemy import func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.geometry import AreaIndex, PerimeterIndex
from backend.plain import plain
from backend.territory.models import Area, Department, Site, TerritoryVersion, Zone
from backend.territory.rules import Difference, compare

# Part of a city → its table
TABLES: Mapping[str, Any] = {"areas": Area, "zones": Zone, "sites": Site, "departments": Department}


SAMPLE = "（示例）"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is derived from one version of the territory. Immutable; shared by all threads."""

    key: tuple[str, int]
    city_id: str
    is_sample: bool
    sites: Mapping[str, Mapping[str, Any]]
    paths: Mapping[str, str]
    departments: frozenset[str]
    districts: AreaIndex
    perimeters: PerimeterIndex
    townships: tuple[tuple[str, str, float, float], ...]  # (id, district, lon, lat) of the seats


_lock = threading.Lock()
_kept: list[Facts] = []


_KNOWN = (TerritoryVersion.v, TerritoryVersion.city_id, TerritoryVersion.is_sample)
_VERSION = plain(visible(TerritoryVersion, SYSTEM).with_only_columns(*_KNOWN))


def version(session: Session, actor: Actor = SYSTEM) -> TerritoryVersion | None:
    """The version row, or None where no city is loaded yet."""
    return session.scalars(visible(TerritoryVersion, actor)).first()


def facts(session: Session) -> Facts | None:
    """Facts of the loaded city (built once per version, ~0.3 s), or None where no city is loaded."""
    if "territory" in session.info:
        found: Facts = session.info["territory"]
        return found
    now = session.execute(_VERSION).first()
    if now is None:
        return None
    key = (str(session.get_bind().engine.url), now.v)
    with _lock:
        if not _kept or _kept[0].key != key:
            _kept[:] = [_build(session, key, now)]
        session.info["territory"] = _kept[0]
        return _kept[0]


def _build(session: Session, key: tuple[str, int], now: Any) -> Facts:
    areas = session.scalars(visible(Area, SYSTEM).order_by(Area.id)).all()
    columns = (
        Site.id,
        Site.kind,
        Site.district_id,
        Site.township_id,
        Site.lon,
        Site.lat,
        Site.area_path,
        Site.perimeter,
    )
    sites = session.execute(visible(Site, SYSTEM).with_only_columns(*columns).order_by(Site.id)).all()
    departments = session.scalars(visible(Department, SYSTEM)).all()
    return Facts(
        key, now.city_id, now.is_sample, {s.id: dict(s._mapping) for s in sites}, {a.id: a.area_path for a in areas},
        frozenset(d.id for d in departments),
        AreaIndex([(a.id, shape(a.geometry)) for a in areas if a.geometry]),
        PerimeterIndex([(s.id, shape(s.perimeter)) for s in sites if s.perimeter]),
        tuple((a.id, a.parent_id or "", a.seat_lon, a.seat_lat)
              for a in areas if a.level == "township" and a.seat_lon and a.seat_lat),
    )  # fmt: skip


def differing(session: Session, body: Mapping[str, Any]) -> dict[str, Difference]:
    """By part (TABLES): what `body`, the args of `city.load`, changes. Raises ValueError for misfit rows."""
    return {
        name: compare(body[name], _recorded(session, table), table.__table__.columns.keys())
        for name, table in TABLES.items()
    }


def _recorded(session: Session, table: Any) -> dict[str, Mapping[str, Any]]:
    statement = visible(table, SYSTEM).with_only_columns(*table.__table__.columns)
    return {row.id: dict(row._mapping) for row in session.execute(statement)}


def printed(session: Session, name: str) -> str:
    """The name of a site as it stands on paper and in files: that of an invented one says so."""
    known = facts(session)
    return f"{name}{SAMPLE}" if known is None or known.is_sample else name


def printed_names(session: Session, actor: Actor, ids: Collection[str]) -> dict[str, str]:
    """{id: name} of these sites, as they stand on paper, in files and on pages."""
    return {site: printed(session, name) for site, name in site_names(session, actor, ids).items()}


def site_point(session: Session, site_id: str) -> Mapping[str, Any] | None:
    """lon, lat, kind, district_id, township_id, area_path of a site, or None."""
    known = facts(session)
    return known.sites.get(site_id) if known else None


def site_path(session: Session, site_id: str) -> str | None:
    """Area path of a site, or None."""
    site = site_point(session, site_id)
    return site["area_path"] if site else None


def site_kind(session: Session, site_id: str) -> str | None:
    """school or hazard_site, or None."""
    site = site_point(session, site_id)
    return site["kind"] if site else None


def city_id(session: Session) -> str:
    """Code of the loaded city; "-" before one is loaded."""
    known = facts(session)
    return known.city_id if known else "-"


def area_path(session: Session, area_id: str) -> str | None:
    """Area path of a city, district, township or site."""
    known = facts(session)
    return (known.paths.get(area_id) or site_path(session, area_id)) if known else None


def department_ids(session: Session) -> frozenset[str]:
    """Ids of all departments."""
    known = facts(session)
    return known.departments if known else frozenset()


def areas(session: Session, actor: Actor, level: str | None = None) -> Sequence[Area]:
    """Areas, of one level or all, by id."""
    statement = visible(Area, actor).order_by(Area.id)
    return session.scalars(statement.where(Area.level == level) if level else statement).all()


_AREA_CARD = (Area.id, Area.level, Area.name_zh, Area.name_en, Area.parent_id)
_SITE_CARD = (
    Site.id,
    Site.kind,
    Site.category,
    Site.name,
    Site.township_id,
    Site.lon,
    Site.lat,
    Site.perimeter,
)


def area_cards(session: Session, actor: Actor, ids: Sequence[str]) -> Sequence[Any]:
    """Areas with these ids as plain rows, without their outlines (which are large)."""
    return session.execute(visible(Area, actor).with_only_columns(*_AREA_CARD).where(Area.id.in_(ids))).all()


def site_cards(session: Session, actor: Actor, ids: Sequence[str]) -> Sequence[Any]:
    """Sites with these ids as plain rows of what a device shows."""
    return session.execute(visible(Site, actor).with_only_columns(*_SITE_CARD).where(Site.id.in_(ids))).all()


def children(session: Session, actor: Actor, area_id: str) -> Sequence[Area]:
    """Areas directly below one."""
    return session.scalars(visible(Area, actor).where(Area.parent_id == area_id).order_by(Area.id)).all()


def child_ids(session: Session, actor: Actor, area_id: str) -> list[str]:
    """Their ids alone."""
    named = visible(Area, actor).with_only_columns(Area.id).where(Area.parent_id == area_id)
    return list(session.scalars(named.order_by(Area.id)))


def area_names(session: Session, actor: Actor) -> dict[str, str]:
    """{id: Chinese name} of all areas, without their outlines."""
    named = visible(Area, actor).with_only_columns(Area.id, Area.name_zh)
    return {row.id: row.name_zh for row in session.execute(named)}


def departments(session: Session, actor: Actor) -> Sequence[Department]:
    """All departments, by id."""
    return session.scalars(visible(Department, actor).order_by(Department.id)).all()


def sites_by_ids(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, Site]:
    """Sites with these ids."""
    return {row.id: row for row in session.scalars(visible(Site, actor).where(Site.id.in_(ids)))}


def site_names(session: Session, actor: Actor, ids: Collection[str]) -> dict[str, str]:
    """{id: name} of these sites."""
    named = visible(Site, actor).with_only_columns(Site.id, Site.name).where(Site.id.in_(ids))
    return {row.id: row.name for row in session.execute(named)}


def sites_of_kinds(session: Session, actor: Actor, kinds: Sequence[str]) -> Sequence[Site]:
    """Sites of these kinds, by id."""
    return session.scalars(visible(Site, actor).where(Site.kind.in_(kinds)).order_by(Site.id)).all()


def counts(session: Session, actor: Actor) -> dict[str, int]:
    """Number of sites by kind."""
    statement = visible(Site, actor).with_only_columns(Site.kind, func.count()).group_by(Site.kind)
    return {row[0]: row[1] for row in session.execute(statement)}
