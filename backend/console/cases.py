"""The page of one problem: what is on record of it, and the forms of the steps that its reader can take now. Reads only."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy.orm import Session

from backend.access.roles import may
from backend.access.scope import SYSTEM, Actor
from backend.accounts import queries as accounts
from backend.console import forms
from backend.console.forms import Form
from backend.errors import NotFound
from backend.now import now_utc
from backend.problems import queries as problems
from backend.problems import record, rules
from backend.problems.models import Problem, ProblemEvent
from backend.problems.table import UNIT
from backend.responsibility import queries as responsibility
from backend.supervision import queries as supervision
from backend.supervision.record import why_not_by
from backend.territory import queries as territory
from backend.workdays import local_date

DECIDES = frozenset({"extension.decide", "acceptance.decide"})
LINES = 60  # of a history, the newest


def page_of(session: Session, actor: Actor, name: str) -> dict[str, Any]:
    """Everything that the page says. Who was only sent it as a transfer sees what the slip tells, and answers.

    Raises NotFound.
    """
    seen = problems.get(session, actor, name)
    found = seen or supervision.get_given(session, actor, name)
    if found is None:
        raise NotFound()
    offered = [*(_steps(session, actor, seen) if seen else ()), *_facts(session, actor, found, seen is not None)]
    told = {"problem": found, "sees_all": seen is not None, "forms": offered, "site": _site(session, found), "op": str(uuid.uuid4()),
            "chain": [], "history": []}  # fmt: skip
    if seen:
        history = problems.history(session, actor, seen.id)[-LINES:]
        told["chain"] = responsibility.told_chain(session, actor, seen.id, local_date(now_utc()))
        told["history"] = [_line(each) for each in reversed(history)]
        told["people"] = accounts.names(session, {each.actor_id for each in history})
    return told | _choices(session, offered)


def steps_of(session: Session, actor: Actor, problem: Problem) -> Mapping[str, rules.Step]:
    """The steps of the table that are open to somebody who sees all that is on record of a problem."""
    now = record.present(session, problem, {"ver": problem.ver})
    return rules.steps_open_to(actor.role, now)


def _steps(session: Session, actor: Actor, problem: Problem) -> list[Form]:
    found = steps_of(session, actor, problem)
    barred = _is_barred(session, actor, problem)
    return [
        forms.form_of(action, _named(session, actor, problem, action), step)
        for action, step in found.items()
        if forms.is_allowed(actor.role, action) and not (barred and forms.way_of(action).verb in DECIDES)
    ]  # fmt: skip


def _is_barred(session: Session, actor: Actor, problem: Problem) -> bool:
    """Whether the application that is open is not for this person to decide about, whatever their role."""
    found = (
        supervision.get(session, actor, problem.waits_for, problem.waits_id)
        if problem.waits_for and problem.waits_id
        else None
    )
    return found is not None and why_not_by(actor, found.opened_by, problem) is not None


def _named(session: Session, actor: Actor, problem: Problem, action: str) -> str:
    """Id of what the op of an action names."""
    about = forms.way_of(action).about
    if about == "problem":
        return problem.id
    if about == "listing":
        found = supervision.newest(session, actor, "listing", problem.id)
        return found.id if found else ""
    return problem.waits_id or ""


def _facts(session: Session, actor: Actor, problem: Problem, sees_it: bool) -> list[Form]:
    """Answers to transfers, a unit's report of progress, a note."""
    made = []
    for each in supervision.received(session, actor, problem.id) if may(actor.role, "transfer.answer") else ():
        if each.opened_by != actor.id:
            made += [forms.form_of("received", each.id)] if each.status == "sent" else []
            made.append(forms.form_of("answered", each.id))
    if sees_it and problem.is_listed and actor.role in UNIT:
        made.append(forms.form_of("progress", _named(session, actor, problem, "progress")))
    if sees_it and forms.is_allowed(actor.role, "note"):
        made.append(forms.form_of("note", problem.id))
    return made


def _choices(session: Session, offered: Sequence[Form]) -> dict[str, Any]:
    """Names to choose from, as far as a form asks for them."""
    kinds = {each.kind for form in offered for each in form.fields}
    departments = territory.departments(session, SYSTEM) if "department" in kinds else ()
    areas = territory.area_names(session, SYSTEM) if "area" in kinds else {}
    return {"departments": [(each.id, each.name_zh, each.name_en) for each in departments], "areas": areas}


def _site(session: Session, problem: Problem) -> str:
    names = territory.printed_names(session, SYSTEM, {problem.site_id} if problem.site_id else set())
    return "".join(names.values())


def _line(of: ProblemEvent) -> dict[str, Any]:
    return {"action": of.action, "status": of.status, "to": of.to_state, "note": of.note, "photos": of.photos, "by": of.actor_id,
            "at": local_minute(of.at)}  # fmt: skip


def local_minute(at: datetime) -> str:
    """An instant as a page says it, in the city's time."""
    zone = ZoneInfo(current_app.extensions["config"].timezone)
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
