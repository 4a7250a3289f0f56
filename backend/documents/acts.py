"""What an act on record says of a document's fields (填单以行为为准): the extension that was asked for, the listing, the transfer that
was answered. What the issuer fills in stands before it; where there was no act, nothing is filled in. Reads only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.handovers import queries as handovers
from backend.problems import queries as problems
from backend.supervision import queries as supervision
from backend.supervision.models import Proceeding
from backend.territory import queries as territory
from backend.workdays import local_date

LEVELS = {"city": "市级", "district": "区县级"}
DECIDED = {"granted": "同意", "refused": "不同意"}
VISITED = {"passed": "合格", "failed": "不合格"}
SEEN = {"close": "已整改", "confirm_fix": "已整改", "refuse_fix": "未整改"}  # action → what a re-inspection found
Said = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Act:
    """The proceeding that a kind of document is the paper of: its kind, and its fields in the document's names."""

    kind: str
    says: Callable[[Proceeding], Said]
    is_sent: bool = False  # of a transfer: seen from the sender's side


def _day(at: datetime | None) -> str | None:
    return local_date(at).isoformat() if at else None


def _decision(found: Proceeding) -> Said:
    if found.status not in DECIDED:
        return {}
    return {
        "verdict": DECIDED[found.status],
        "until": found.answer.get("until"),
        "opinion": found.answer.get("opinion"),
    }


def _acceptance(found: Proceeding) -> Said:
    if found.status not in VISITED:
        return {}
    told = {name: found.answer.get(name) for name in ("opinion", "experts")}
    return {
        "verdict": VISITED[found.status],
        "visited_on": found.answer.get("visited_on") or _day(found.ended_at),
        **told,
    }


def _listing(found: Proceeding) -> Said:
    return {
        "level": LEVELS[found.said["level"]],
        **{name: found.said.get(name) for name in ("finish_by", "plan_by", "demand")},
    }


def _sent(found: Proceeding) -> Said:
    return {"opinion": found.said["note"], "reply_by": found.due_on.isoformat() if found.due_on else None}


ACTS: Mapping[str, Act] = {
    "handover": Act("transfer", _sent, is_sent=True),
    "receipt": Act("transfer", lambda p: {"received_on": _day(p.received_at), "opinion": p.answer.get("opinion")}),
    "feedback": Act("transfer", lambda p: {name: p.answer.get(name) for name in ("result", "done_on")}),
    "supervision": Act("listing", _listing),
    "extension_request": Act("extension", lambda p: {name: p.said.get(name) for name in ("until", "reason", "measures")}),
    "extension_decision": Act("extension", _decision),
    "acceptance_request": Act("acceptance", lambda p: {n: p.said.get(n) for n in ("done_on", "summary", "funds", "self_check")}),
    "acceptance_opinion": Act("acceptance", _acceptance),
}  # fmt: skip


def filled(session: Session, actor: Actor, name: str, ent_id: str) -> dict[str, str]:
    """field → what the newest act says, for a kind of document about `ent_id`; only what `actor` may see of it."""
    if name == "reinspection":
        return _told(_visit(session, actor, ent_id))
    if name == "batch_receipt":
        given = handovers.get(session, actor, ent_id)
        return _told({"received_on": _day(given.signed_at)} if given else {})
    found = _newest(session, actor, name, ent_id)
    if found is None:
        return {}
    to = {"to": _addressee(session, actor, found)} if name == "handover" else {}
    return _told(ACTS[name].says(found) | to)


def due_before(session: Session, actor: Actor, name: str, ent_id: str) -> str | None:
    """The day that an extension was asked to move: afterwards the problem itself has only the new one."""
    found = _newest(session, actor, name, ent_id) if name.startswith("extension_") else None
    return found.said.get("before") if found else None


def _newest(session: Session, actor: Actor, name: str, ent_id: str) -> Proceeding | None:
    act = ACTS.get(name)
    return supervision.newest(session, actor, act.kind, ent_id, "sent" if act.is_sent else "received") if act else None


def _told(said: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in said.items() if value}


def _visit(session: Session, actor: Actor, problem_id: str) -> Said:
    """The newest look at a fix; nothing while a newer report of one waits for its own."""
    lines = [e for e in problems.history(session, actor, problem_id) if e.status == "applied"]
    last = next((e for e in reversed(lines) if e.action in SEEN or e.action == "report_fixed"), None)
    if last is None or last.action not in SEEN:
        return {}
    return {"verdict": SEEN[last.action], "visited_on": _day(last.at), "opinion": last.note}


def _addressee(session: Session, actor: Actor, found: Proceeding) -> str:
    """Who a transfer was sent to: the department, with the neighbouring area where it is one."""
    lines = {d.id: d.name_zh for d in territory.departments(session, actor)}
    area = territory.area_names(session, actor).get(found.said.get("area") or "", "")
    department = str(found.said["department"])
    return area + lines.get(department, department)
