"""Pages for people at a desk: sign-in, the start page, what is mine, a problem and its steps, the inbox. No decisions, no SQL."""

import hmac
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for

from backend import incoming
from backend.access.guard import person_actor, require, web_actor
from backend.access.roles import may
from backend.access.scope import Actor
from backend.accounts import tokens
from backend.console import cases, deeds
from backend.console.drawing import draw
from backend.console.texts import texts
from backend.console.words import words
from backend.database import snapshot, to_ms, transaction
from backend.errors import Problem
from backend.exports.ledgers import csv_text
from backend.inspections import queries as inspections
from backend.ledgers import opened
from backend.ledgers import queries as ledgers
from backend.ledgers.rules import GRADES
from backend.ledgers.views import today
from backend.mine import queries as mine_today
from backend.notices import queries as notices
from backend.notices.inbox import mark_read
from backend.notices.schemas import NoticeOut
from backend.notices.views import inbox_position
from backend.now import now_utc
from backend.photos import queries as photos
from backend.problems import queries as problems
from backend.problems.life import STATES
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory

HERE = Path(__file__).parent
console_bp = Blueprint(
    "console",
    __name__,
    template_folder=str(HERE / "templates"),
    static_folder=str(HERE / "static"),
    static_url_path="/static",
)
COOKIE = "huyuan_session"
MAX_FORM_BYTES = 500_000
MOST_BYTES = {"console.act": 40_000_000}  # a form that brings photos
INBOX_LINES, ROWS = 50, 100


@console_bp.before_request
def bound_form() -> None:
    """A form that never ends is refused while it is read: too_large."""
    request.max_content_length = MOST_BYTES.get(request.endpoint or "", MAX_FORM_BYTES)


def _language() -> str:
    asked = request.args.get("lang") or request.cookies.get("lang") or ""
    return "en" if asked == "en" else "zh"


def _page(template: str, status: int = 200, **facts: Any) -> Response:
    language = _language()
    answer = make_response(render_template(template, t=texts(language), lang=language, **facts), status)
    answer.set_cookie("lang", language, samesite="Lax")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _frame(session: Any, actor: Actor) -> dict[str, Any]:
    """What stands around every page of somebody who is signed in."""
    return {"actor": actor, "csrf": g.get("csrf", ""), "unread": notices.unread(session, actor)}


def _for(permission: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A page for who is signed in and may; a stranger is sent to sign in."""

    def made(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def page(**of: str) -> Any:
            try:
                actor = web_actor()
            except Problem:
                return redirect("/login")
            require(actor, permission)
            return view(actor, **of)

        return page

    return made


def _own_form() -> Actor:
    """Who sends a form that this server gave them. Raises Problem unauthenticated, csrf."""
    actor = person_actor()
    if not hmac.compare_digest(request.form.get("csrf", "").encode(), g.csrf.encode()):
        raise Problem("csrf")
    return actor


@console_bp.get("/login")
def login_page() -> Response:
    return _page("login.html", wrong=False)


@console_bp.post("/login")
def login() -> Any:
    _same_origin()
    with transaction() as session:
        user = tokens.check_password(session, _typed("login"), _typed("password"))
        cookie = tokens.open_session(session, user.id, now_utc())[0] if user else None
    if cookie is None:
        return _page("login.html", 401, wrong=True)
    answer = redirect("/")
    secure = current_app.extensions["config"].secure_cookies
    answer.set_cookie(
        COOKIE, cookie, httponly=True, samesite="Lax", secure=secure, max_age=tokens.SESSION_LIFE_H * 3600
    )
    return answer


def _typed(name: str) -> str:
    """A field of the form; what no database can hold is nobody's name and nobody's password."""
    text = request.form.get(name, "")
    return "" if "\0" in text else text


@console_bp.post("/logout")
def logout() -> Any:
    _own_form()
    with transaction() as session:
        tokens.close_session(session, request.cookies[COOKIE])
    answer = redirect("/login")
    answer.delete_cookie(COOKIE)
    return answer


@console_bp.get("/")
@_for("record.read")
def start(actor: Actor) -> Any:
    with snapshot() as session:
        return _page("start.html", **_frame(session, actor), **_facts(session, actor))


@console_bp.get("/mine")
@_for("record.read")
def mine(actor: Actor) -> Any:
    with snapshot() as session:
        found, frame = mine_today.today_of(session, actor, today()), _frame(session, actor)
    return _page("mine.html", **frame, states=dict(STATES), **found)


@console_bp.get("/rows")
@_for("ledger.read")
def rows(actor: Actor) -> Any:
    given = incoming.parameters("lang", "node", "measure", "grade", "after", "unplaced")
    with snapshot() as session:
        found, frame = _rows(session, actor, given), _frame(session, actor)
    return _page("rows.html", **frame, states=dict(STATES), **found)


@console_bp.get("/problem/<path:problem_id>")
@_for("record.read")
def problem(actor: Actor, problem_id: str) -> Any:
    done = (request.args.get("done", ""), request.args.get("as", ""))
    return _case(actor, problem_id, 200, done=done if _is_told(*done) else None)


@console_bp.post("/problem/<path:problem_id>")
def act(problem_id: str) -> Any:
    actor = _own_form()
    deed = deeds.sent()
    status = deeds.carry_out(actor, deed, _language())
    if status is None:
        return _case(actor, problem_id, deed.status, deed=deed)
    told = {"problem_id": problem_id, "done": deed.action, "as": status}
    return redirect(url_for("console.problem", **told))  # type: ignore[arg-type] # a parameter's name is a keyword


def _is_told(action: str, status: str) -> bool:
    return action in words("zh")["actions"] and f"as_{status}" in texts("zh")


def _case(actor: Actor, problem_id: str, status: int, **more: Any) -> Response:
    """The page of a problem; with a form that was refused, that one is open and says why."""
    with snapshot() as session:
        facts, frame = cases.page_of(session, actor, problem_id), _frame(session, actor)
        w, deed = words(_language()), more.get("deed")
        more["known"] = deed and any(deed.action == f.action and deed.name == f.ent[1] for f in facts["forms"])
        return _page("problem.html", status, **frame, w=w, **facts, **more)


def fault_page(fault: Problem) -> Response:
    """What went wrong, for a person with a browser: in their language, with the way back."""
    language = _language()
    actor, csrf = g.get("actor"), g.get("csrf", "")
    return _page("fault.html", fault.status, said=fault.title(language), code=fault.status, actor=actor, csrf=csrf)


@console_bp.get("/inbox")
@_for("inbox.read")
def inbox(actor: Actor) -> Any:
    after = inbox_position(request.args.get("after"))
    with snapshot() as session:
        return _page("inbox.html", **_frame(session, actor), **_inbox(session, actor, after))


@console_bp.post("/inbox/read")
def inbox_read() -> Any:
    actor = _own_form()
    until = incoming.moment(f"{_typed('until')}:x")
    with transaction() as session:
        mark_read(session, actor, None, until[0] if until else now_utc(), now_utc())
    return redirect("/inbox")


def _inbox(session: Any, actor: Any, after: Any) -> dict[str, Any]:
    """Lines of one page, when each was, where the next page begins, and what the button marks as read."""
    found = notices.page(session, actor, False, after, INBOX_LINES)
    return {"rows": NoticeOut(many=True).dump(found), "times": {n.id: cases.local_minute(n.at) for n in found}, "until": to_ms(found[0].at) if found else 0,
            "older": f"{to_ms(found[-1].at)}:{found[-1].id}" if len(found) == INBOX_LINES else None}  # fmt: skip


def _facts(session: Any, actor: Any) -> dict[str, Any]:
    is_loaded = territory.city_id(session) != "-"
    has_ledger = is_loaded and may(actor.role, "ledger.read")
    roll = ledgers.rollup(session, actor, ledgers.home(session, actor), today()) if has_ledger else None
    done, sites = inspections.count(session, actor)
    areas = territory.areas(session, actor, "district")
    waiting = problems.waiting_conflicts(session, actor) if may(actor.role, "conflict.resolve") else None
    return {"conflicts": waiting, "roll": roll, "is_loaded": is_loaded, "map": draw(areas, problems.dots(session, actor)),
            "sites": territory.counts(session, actor), "inspections": done, "inspected": sites,
            "progress": sweeps.progress(session, actor), "photos": photos.counts(session, actor)}  # fmt: skip


def _rows(session: Any, actor: Actor, given: Mapping[str, str]) -> dict[str, Any]:
    """The problems behind a cell, a page of them, with the names of their sites."""
    node, measure = given.get("node") or ledgers.home(session, actor), given.get("measure", "found")
    cell = {name: given[name] for name in ("grade", "unplaced") if name in given}
    incoming.one_of("grade", cell.get("grade", GRADES[0]), GRADES)
    made = opened.rows(session, actor, node, today(), cell, measure, None, given.get("after", ""), ROWS)
    names = territory.printed_names(session, actor, {row["site_id"] for row in made["rows"]})
    place = territory.area_names(session, actor).get(node, node)
    return {"given": {**given, "node": node, "measure": measure}, "names": names, "place": place, **made}


@console_bp.get("/ledger.csv")
def ledger_csv() -> Response:
    actor, asked = web_actor(), incoming.parameters("node")
    require(actor, "ledger.export")
    with snapshot() as session:
        node = asked.get("node") or ledgers.home(session, actor)
        text = "".join(csv_text(session, actor, node, today()))
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": "attachment; filename=ledger.csv"})


def _same_origin() -> None:
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none"):
        raise Problem("csrf")
