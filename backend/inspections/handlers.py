"""Taking in what an inspector found. Raises findings as events; never places them, never names who must act."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import Actor, is_within
from backend.database import from_ms
from backend.effects import Changed, Effect, Event, OpLike
from backend.errors import Invalid, Refused
from backend.inspections import rules
from backend.inspections.models import Inspection
from backend.photos.handlers import refer
from backend.plain import plain
from backend.programmes import queries as programmes
from backend.territory import queries as territory

MAX_ID = 64  # of an inspection or a report
_KEPT = Inspection.__table__.c
_NOTE_MISSING = plain(
    update(Inspection.__table__).where(_KEPT.id == bindparam("inspection"))  # type: ignore[arg-type]
    .values(missing_photos=bindparam("missing"), ver=_KEPT.ver + 1).returning(_KEPT.ver, _KEPT.team_id)
)  # fmt: skip


def submit(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`inspection.submit`: keep the checklist; each failed item becomes a finding.

    Refuses target_missing (no such site) and unknown_type (a template version not installed here, yet).
    """
    args = op.args
    _check_id(op)
    codes = _codes(session, args["programme"], args["template_version"], actor)
    unknown = rules.unknown_codes(
        codes, args["answers"], args["remarks"], args["values"], args["photos"], args["on_the_spot"]
    )
    if unknown:
        raise Invalid(
            errors=[{"pointer": f"/answers/{c}", "code": "unknown_item", "detail": "no such item"} for c in unknown]
        )
    site = territory.site_path(session, args["site_id"])
    if site is None:
        raise Refused("target_missing", f"site {args['site_id']} is not known here")
    if not is_within(actor, site):
        raise Refused("scope_lost", f"site {args['site_id']} lies in none of your areas")
    failed = rules.failed_items(args["answers"])
    proof = {f"{item}/fixed": fixed["photos"] for item, fixed in args["on_the_spot"].items() if fixed["photos"]}
    photos = {**args["photos"], **proof} if proof else args["photos"]
    missing = refer(session, _refs("inspection", op, site, photos)) if photos else 0
    rows.add(session, Inspection, _row(op, actor, now, site, len(failed), missing))
    changes = [Changed("inspection", op.ent_id, 1, (f"team:{args['team_id']}",))] if args["team_id"] else []
    submitted = {k: args[k] for k in ("task_id", "site_id", "programme", "template_version", "team_id")}
    events = [Event("inspection.submitted", {"inspection_id": op.ent_id, **submitted})]
    events += [Event("finding.made", _finding(op, actor, now, item)) for item in failed]
    summary = {"area_path": site, "failed": failed}
    return Effect(ver=1, changes=changes, events=events, summary=summary)


def report(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.report`: one hazard seen without a checklist, at a site or only at a place."""
    args = op.args
    _check_id(op)
    if args["item"] not in _codes(session, args["programme"], args["template_version"], actor):
        raise Invalid(errors=[{"pointer": "/item", "code": "unknown_item", "detail": "no such item"}])
    site = territory.site_path(session, args["site_id"]) if args["site_id"] else ""
    if site is None:
        raise Refused("target_missing", f"site {args['site_id']} is not known here")
    refs = _refs("finding", op, site, {args["item"]: args["photos"]})
    refer(session, [{**ref, "ent_id": f"{op.ent_id}:{args['item']}"} for ref in refs])
    data = {
        **_common(op, actor, now), "inspection_id": None, "item": args["item"], "remark": args["remark"],
        "value": None, "photos": args["photos"], "on_the_spot": False,
    }  # fmt: skip
    data["finding_id"] = f"{op.ent_id}:{args['item']}"
    return Effect(ver=1, events=[Event("finding.made", data)], summary={"item": args["item"]})


def note_evidence(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction: a photo of an inspection has arrived (or been lost); say how many it still waits for."""
    if data["ent_type"] != "inspection":
        return Effect()
    row = session.execute(_NOTE_MISSING, {"inspection": data["ent_id"], "missing": data["missing"]}).one_or_none()
    if row is None or not row.team_id:
        return Effect()
    return Effect(changes=[Changed("inspection", data["ent_id"], row.ver, (f"team:{row.team_id}",))])


def _check_id(op: OpLike) -> None:
    """Whatever is made of it (findings, problems, rows of the feed) carries this id in its own."""
    if not 1 <= len(op.ent_id) <= MAX_ID:
        raise Invalid(errors=[{"pointer": "/ent/id", "code": "invalid", "detail": f"1 to {MAX_ID} characters"}])


def _codes(session: Session, programme: str, version: int, actor: Actor) -> frozenset[str]:
    pack = programmes.pack(session, programme, version)
    if pack is None:
        raise Refused("unknown_type", f"template {programme} v{version} is not installed")
    return frozenset(item.code for item in pack.items) if not hasattr(pack, "codes") else pack.codes


def _row(op: OpLike, actor: Actor, now: datetime, area_path: str, failed: int, missing: int) -> dict[str, Any]:
    args = op.args
    same = ("task_id", "site_id", "programme", "template_version", "team_id", "started_at", "ended_at", "fix",
            "answers", "remarks", "values")  # fmt: skip
    return {
        **{k: args[k] for k in same}, "id": op.ent_id, "op_id": op.id, "inspector_id": actor.id,
        "area_path": area_path, "received_at": op.received_at, "failed": failed, "missing_photos": missing, "ver": 1,
    }  # fmt: skip


def _refs(ent_type: str, op: OpLike, area_path: str, photos: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    sizes = {blob.get("sha256"): blob for blob in op.blobs}
    return [
        {"sha256": sha, "ent_type": ent_type, "ent_id": op.ent_id, "item": item, "op_id": op.id,
         "area_path": area_path, "size": sizes.get(sha, {}).get("size"), "mime": sizes.get(sha, {}).get("mime")}
        for item, shas in photos.items() for sha in shas
    ]  # fmt: skip


def _common(op: OpLike, actor: Actor, now: datetime) -> dict[str, Any]:
    args = op.args
    return {
        "op_id": op.id, "site_id": args["site_id"], "programme": args["programme"], "fix": args["fix"],
        "template_version": args["template_version"], "team_id": args["team_id"], "reporter_id": actor.id,
        "found_at": from_ms(op.recorded.at_ms), "found_quality": op.recorded.quality, "received_at": op.received_at,
    }  # fmt: skip


def _finding(op: OpLike, actor: Actor, now: datetime, item: str) -> dict[str, Any]:
    args = op.args
    return {
        **_common(op, actor, now), "finding_id": f"{op.ent_id}:{item}", "inspection_id": op.ent_id, "item": item,
        "remark": args["remarks"].get(item, ""), "value": args["values"].get(item),
        "photos": args["photos"].get(item, []) + args["on_the_spot"].get(item, {}).get("photos", []),
        "on_the_spot": item in args["on_the_spot"],
    }  # fmt: skip
