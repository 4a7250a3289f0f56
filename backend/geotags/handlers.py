"""Placing findings: position → district, township, nearest perimeter, with reasons. Never touches problems."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, Event, OpLike
from backend.errors import Refused
from backend.geotags import queries, rules
from backend.geotags.models import Geotag
from backend.photos import queries as photos
from backend.territory import geo_index
from backend.territory import queries as territory

_PLACE = ("district_id", "township_id", "township_source", "is_near_boundary", "candidates", "nearest_school_id", "nearest_school_m")  # fmt: skip


def locate(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `finding.made`: store the geotag, tell `finding.located`."""
    tag = tag_of(session, data["finding_id"], data["site_id"], rules.read(data["fix"], "device"))
    if tag["unplaced_reason"] and data["photos"]:
        tag = _by_photos_here(session, tag, data["photos"])
    rows.add(session, Geotag, tag)
    return Effect(events=[Event("finding.located", {**data, "tag": tag})])


def place(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.place`: a person settles where a finding lies (near boundary, or unplaced)."""
    found = queries.of_finding(session, actor, op.args["finding_id"])
    if found is None:
        raise Refused("target_missing", "no such finding within your territory")
    offer = rules.read({**op.args, "accuracy_m": 0}, "person")
    tag = tag_of(session, found.finding_id, found.site_id, offer)
    if tag["unplaced_reason"]:
        raise Refused("invalid", f"that point is not in the city: {tag['unplaced_reason']}")
    return _replace(session, tag)


def locate_by_photo(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `photo.verified`: a finding without a place may get one from the photo's EXIF."""
    waiting = queries.unplaced(session, SYSTEM, photos.findings_of(session, SYSTEM, data["sha256"]))
    effect = Effect()
    for found in waiting:
        tag = tag_of(session, found.finding_id, found.site_id, _offer(data.get("exif")))
        if not tag["unplaced_reason"]:
            effect.events += _replace(session, tag).events
    return effect


def _by_photos_here(session: Session, tag: dict[str, Any], shas: Sequence[str]) -> dict[str, Any]:
    """The tag by a photo that came before its op (a restored server has it already): either order gives one place."""
    for exif in photos.exif_of(session, SYSTEM, shas):
        made = tag_of(session, tag["finding_id"], tag["site_id"], _offer(exif))
        if not made["unplaced_reason"]:
            return made
    return tag


def _offer(exif: Mapping[str, Any] | None) -> rules.Position | str:
    given = exif or {}
    more = {"accuracy_m": given.get("position_error_m"), "crs": given.get("datum") or "wgs84"}
    return rules.read({**given, **more}, "exif")


def tag_of(session: Session, finding_id: str, site_id: str | None, offer: rules.Position | str) -> dict[str, Any]:
    """The geotag row for one finding. A known site's recorded district is authoritative; the fix only checks it."""
    site = territory.site_point(session, site_id) if site_id else None
    position, reasons = rules.choose(offer)
    tag: dict[str, Any] = {
        "finding_id": finding_id, "site_id": site_id, "source": "none", "unplaced_reason": None, "area_path": "",
        "lon": None, "lat": None, "crs_given": None, "given_lon": None, "given_lat": None, "accuracy_m": None,
        **dict.fromkeys(_PLACE), "is_near_boundary": False, "candidates": [], "reasons": reasons,
    }  # fmt: skip
    if position:
        names = ("lon", "lat", "accuracy_m", "source", "crs_given", "given_lon", "given_lat")
        tag.update({name: getattr(position, name) for name in names})
    elif site:
        tag.update(lon=site["lon"], lat=site["lat"], source="site", accuracy_m=0.0)
    if tag["lon"] is None:
        return _unplaced(session, tag, str(offer))
    found = geo_index.locate_point(session, tag["lon"], tag["lat"], tag["accuracy_m"] or 0.0)
    tag.update({k: found[k] for k in ("is_near_boundary", "candidates", "nearest_school_id", "nearest_school_m")})
    reasons.extend(found["reasons"])
    if site:
        return _by_site(tag, site, found, position)
    if found["district_id"] is None:
        return _unplaced(session, tag, "outside_city")
    tag.update({k: found[k] for k in ("district_id", "township_id", "township_source", "area_path")})
    return tag


def _by_site(
    tag: dict[str, Any], site: Mapping[str, Any], found: Mapping[str, Any], position: rules.Position | None
) -> dict[str, Any]:
    same = ("district_id", "township_id", "area_path")
    tag.update({k: site[k] for k in same}, township_source="site")
    if position:
        tag["reasons"].append(rules.against_site(position, site["lon"], site["lat"]))
    if found["district_id"] not in (None, site["district_id"]):
        tag["is_near_boundary"] = True
        tag["candidates"] = sorted({site["district_id"], found["district_id"], *tag["candidates"]})
    tag["reasons"].append({"step": "district", "by": "site record", "district": site["district_id"]})
    return tag


def _unplaced(session: Session, tag: dict[str, Any], reason: str) -> dict[str, Any]:
    tag.update(unplaced_reason=reason, area_path=f"{territory.city_id(session)}/-")
    return tag


def _replace(session: Session, tag: dict[str, Any]) -> Effect:
    session.execute(update(Geotag).where(Geotag.finding_id == tag["finding_id"]).values(tag))
    return Effect(
        events=[Event("finding.relocated", {"finding_id": tag["finding_id"], "tag": tag})],
        summary={"area_path": tag["area_path"]},
    )
