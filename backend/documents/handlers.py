"""Issuing a document: what will be printed is put on record with its number and digest. Nothing is printed here."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from flask import current_app
from sqlalchemy.orm import Session

from backend import rows
from backend.access import numbers
from backend.access.scope import Actor
from backend.database import lock
from backend.documents import acts, facts, published, queries
from backend.documents.kinds import KINDS, Kind
from backend.documents.models import Document
from backend.effects import Effect, Event, OpLike
from backend.errors import NotAllowed, Refused
from backend.workdays import local_date
from sync_protocol.identity import fingerprint

GATHER: Mapping[str, Callable[[Session, Actor, Kind, str, datetime], facts.About]] = {
    "problem": facts.of_problem, "list": facts.of_list, "area_table": facts.of_area, "batch": facts.of_handover,
    "period": published.of_period, "restatement": published.of_restatement, "evaluation": published.of_evaluation,
}  # fmt: skip


def issue(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`document.issue`: about the problem or node that the op names; result: number and digest.

    Raises NotAllowed for a kind that is not the role's; Refused target_missing, guard_failed, invalid.
    """
    name = op.args["kind"]
    kind = KINDS[name]
    if actor.role not in kind.who:
        raise NotAllowed(f"{actor.role} may not issue {name}")
    if op.ent_type != kind.about:
        raise Refused("invalid", f"{name} is about a {kind.about}")
    about = GATHER[kind.template or (name if kind.about == "node" else "problem")](session, actor, kind, op.ent_id, now)
    answered = _answered(session, actor, kind, op.args["answers"], about)
    given = _given(session, op, actor, kind, about)
    number, year, n = _number(session, name, now)
    said = {**_head(session, actor, name, number, now), **about.said, "answers": answered}
    if (before := acts.due_before(session, actor, name, about.ent[1])) is not None:
        said["due_before"] = before
    said["fields"] = [[key, of.label, given[key]] for key, of in kind.fields.items()]
    text, ent = canonical(said), about.ent
    found = fingerprint(text)
    rows.add(session, Document, {
        "number": number, "kind": name, "year": year, "n": n, "issued_at": now, "issued_on": local_date(now),
        "ent_type": ent[0], "ent_id": ent[1], "area_path": about.area_path, "department_id": about.department_id,
        "answers": op.args["answers"], "issuer_id": actor.id, "office": said["office"], "facts": text, "digest": found, "op_id": op.id,
    })  # fmt: skip
    told = {"document": number, "digest": found}
    event = Event("document.issued", {"number": number, "ent": ent, "area_path": about.area_path})
    return Effect(
        events=[event], summary={**told, "kind": name, "about": list(ent), "area_path": about.area_path}, result=told
    )


def _given(session: Session, op: OpLike, actor: Actor, kind: Kind, about: facts.About) -> dict[str, str]:
    """Every field of the kind: what the issuer filled in, else what the act says. Raises Refused invalid where one must be there."""
    known = acts.filled(session, actor, op.args["kind"], about.ent[1])
    written = {key: op.args["fields"].get(key, "").strip() for key in kind.fields}
    given = {key: value or known.get(key, "") for key, value in written.items()}
    if lacking := [key for key, of in kind.fields.items() if of.is_required and not given[key]]:
        raise Refused("invalid", "; ".join(f"/fields/{key}: must be filled in" for key in lacking))
    return given


def canonical(said: dict[str, Any]) -> str:
    """Facts as the one text that is stored and digested (its SHA-256): JSON, members in order, no spaces."""
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def _head(session: Session, actor: Actor, name: str, number: str, now: datetime) -> dict[str, Any]:
    kind, day = KINDS[name], local_date(now).isoformat()
    place = f"{current_app.extensions['config'].public_url}/verify/{number}"
    return {"v": 1, "kind": name, "title": kind.title, "title_en": kind.title_en, "number": number, "date": day,
            "office": facts.office(session, actor), "verify_at": place}  # fmt: skip


def _answered(
    session: Session, actor: Actor, kind: Kind, number: str | None, about: facts.About
) -> dict[str, Any] | None:
    """The document that is answered, as it is printed: of the right kind, about the same problem."""
    if number is None:
        return None
    found = queries.get(session, actor, number)
    if found is None or found.kind != kind.answers or (found.ent_type, found.ent_id) != about.ent:
        raise Refused("guard_failed", f"{number} is no {kind.answers} about this problem")
    said = orjson.loads(found.facts)
    return {
        "number": number,
        "date": said["date"],
        "title": said["title"],
        "office": said["office"],
        "fields": said["fields"],
    }


def _number(session: Session, name: str, now: datetime) -> tuple[str, int, int]:
    """The next number of a kind in a year, for example XG-2026-000001; one series each, without gaps."""
    year = local_date(now).year
    lock(session, [f"document:{name}:{year}"])
    n = numbers.last(session, Document, Document.kind == name, Document.year == year) + 1
    return f"{KINDS[name].code}-{year}-{n:06d}", year, n
