"""The inbox over HTTP. Load → may they → do → dump; no decisions."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import require, web_actor
from backend.database import snapshot, to_ms, transaction
from backend.errors import Invalid, Problem
from backend.notices import inbox, queries
from backend.notices.schemas import NoticeOut, Read
from backend.now import now_utc

notices_bp = Blueprint("notices", __name__, url_prefix="/v1")
_SHOWN = {"unread": True, "all": False}


@notices_bp.get("/inbox")
def inbox_page() -> dict[str, Any]:
    actor = web_actor()
    require(actor, "inbox.read")
    incoming.choose(incoming.JSON)
    asked = incoming.parameters("show", "after", "limit")
    after, limit = _position(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    is_unread = _shown(asked.get("show", "all"))
    with snapshot() as session:
        found = queries.page(session, actor, is_unread, after, limit)
        last = f"{to_ms(found[-1].at)}:{found[-1].id}" if len(found) == limit else None
        return {"notices": NoticeOut(many=True).dump(found), "unread": queries.unread(session, actor), "next": last}


@notices_bp.post("/inbox/read")
def mark_read() -> dict[str, Any]:
    actor = web_actor()
    require(actor, "inbox.read")
    incoming.parameters()
    incoming.choose(incoming.JSON)
    incoming.require_json()
    asked = incoming.loaded(Read())
    with transaction() as session:
        done = inbox.mark_read(session, actor, asked["ids"], asked["until"], now_utc())
    with snapshot() as session:
        return {"read": done, "unread": queries.unread(session, actor)}


def _position(text: str | None) -> Any:
    found = incoming.moment(text)
    if found is not None and not (found[1].isascii() and found[1].isdigit() and len(found[1]) < 10):
        raise Problem("bad_cursor")
    return found


def _shown(show: str) -> bool:
    if show not in _SHOWN:
        raise Invalid(errors=[{"pointer": "?show", "code": "invalid", "detail": f"one of {', '.join(_SHOWN)}"}])
    return _SHOWN[show]
