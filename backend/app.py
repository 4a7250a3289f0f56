"""Wiring: configuration, database, doors, errors, headers. No feature is decided here."""

import logging
import socket
import sys
from datetime import datetime
from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from flask.json.provider import JSONProvider
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException

from backend import database, faults, lines
from backend.access import guard
from backend.access.scope import SYSTEM, Actor
from backend.accounts import queries as accounts
from backend.accounts import tokens
from backend.config import Config, load
from backend.console.views import console_bp, fault_page
from backend.database import snapshot, transaction
from backend.documents.views import documents_bp
from backend.errors import CODES, RETRYABLE, NotFound, Problem
from backend.evaluation.views import evaluation_bp
from backend.exports.views import exports_bp
from backend.handovers.views import handovers_bp
from backend.health import health_bp
from backend.ledgers.views import ledgers_bp
from backend.mine.views import mine_bp
from backend.notices import sender
from backend.notices.views import notices_bp
from backend.now import now_utc
from backend.ops import queries as log_of_ops
from backend.ops import views as ops_views
from backend.ops.jobs import Worker
from backend.ops.work import JOBS, PERIODIC
from backend.periods import field
from backend.periods.views import periods_bp
from backend.photos.pipeline import sweep_scratch
from backend.photos.store import PhotoStore
from backend.responsibility.views import responsibility_bp
from backend.rings.views import rings_bp
from backend.sampling.views import sampling_bp
from backend.supervision.views import supervision_bp
from backend.sweeps import queries as sweeps
from backend.sync import admission, compaction, contacts, giving_up, health, packing, silence
from backend.sync import poke as pokes
from backend.sync.bundles import BundleStore
from backend.sync.desk import desk_bp
from backend.sync.downloads import downloads_bp
from backend.sync.receiving import finish_whole
from backend.sync.rescue import rescue_bp
from backend.sync.tus import Override
from backend.sync.uploads import uploads_bp
from backend.sync.views import sync_bp
from backend.trouble import problem_of

COOKIE = "huyuan_session"
TIDY_EVERY_S, PRESS_EVERY_S = 3600.0, 30.0
log = structlog.get_logger(__name__)
_PACKED_KINDS = ("application/json", "application/geo+json")
_JSON_KINDS = (*_PACKED_KINDS, "application/problem+json")
_CSP = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

# Every way in; their order is of no consequence.
DOORS = (
    sync_bp,
    uploads_bp,
    downloads_bp,
    rescue_bp,
    ops_views.ops_bp,
    ops_views.problems_bp,
    ledgers_bp,
    documents_bp,
    handovers_bp,
    rings_bp,
    mine_bp,
    responsibility_bp,
    periods_bp,
    supervision_bp,
    sampling_bp,
    evaluation_bp,
    exports_bp,
    pokes.poke_bp,
    desk_bp,
    console_bp,
    health_bp,
    notices_bp,
)


class _Json(JSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)


def create_app(config: Config | None = None) -> Flask:
    """The server as a WSGI application; one per process (tests make many)."""
    settings = config or load()
    configure_logs(settings.log_level)
    faults.arm(settings.fault, is_production=settings.secure_cookies)
    app = Flask("backend", static_folder=None)
    app.json = _Json(app)
    app.url_map.merge_slashes = False  # a doubled slash is another path, not a redirect that loses a body
    app.secret_key = settings.secret_key
    app.extensions["config"] = settings
    database.init_app(app, settings)
    app.extensions["bundle_store"] = BundleStore(settings.data / "bundles")
    app.extensions["photo_store"] = PhotoStore(settings.photos)
    app.extensions["rescue_store"] = PhotoStore(settings.rescue)
    guard.register(app, _device, _person)
    admission.register(app, settings)
    contacts.register(app)
    pokes.register(app, settings)
    field.register(app, health.silence, log_of_ops.bringers, log_of_ops.recorded)
    for blueprint in DOORS:
        app.register_blueprint(blueprint)
    app.before_request(_refuse_nul)
    app.register_error_handler(Exception, _answer_error)
    app.after_request(_finish)
    app.wsgi_app = Override(app.wsgi_app, ["/sync/v1/blobs", "/sync/v1/rescue"])  # type: ignore[method-assign]
    return app


def start_worker(app: Flask) -> Worker | None:
    """The background worker inside the server, unless HUYUAN_WORKER says otherwise."""
    if app.extensions["config"].worker != "thread":
        return None
    worker = Worker(app, JOBS, now_utc, LOOKS)
    app.extensions["worker"] = worker
    worker.start()
    sender.start(app, now_utc)
    return worker


def _tidy(now: datetime) -> None:
    """What a killed server left half done: uploads whose last byte was here, derivatives half made; and uploads given up."""
    finished, swept, forgotten = finish_whole(now), sweep_scratch(now.timestamp()), giving_up.forget(now)
    if finished or swept or forgotten:
        log.info("tidied", uploads=finished, scratch=swept, forgotten=forgotten)


def _press(_: datetime) -> None:
    """Bundles that were made while a device waited are packed harder once there is time."""
    current_app.extensions["bundle_store"].press()


LOOKS = (*PERIODIC, *compaction.PERIODIC, *silence.PERIODIC, (TIDY_EVERY_S, _tidy), (PRESS_EVERY_S, _press))
"""What a worker looks at from time to time, inside the server or beside it."""


def configure_logs(level: str) -> None:
    """JSON lines on standard error, from `level` up."""
    numeric = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, structlog.processors.format_exc_info,
                    structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )  # fmt: skip


def _device() -> Actor | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.startswith("hy_dev_"):
        return None
    with snapshot() as session:
        known = accounts.device_of_token(session, token)
        found = sweeps.with_teams(session, known, known.device_id)
        is_unsettled = known.former_hash is not None and known.token_hash == tokens.digest(token)
    if is_unsettled:
        with transaction() as session:
            tokens.settle(session, str(found.device_id))
    return found


def _person() -> Actor | None:
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    with snapshot() as session:
        found = accounts.user_of_cookie(session, cookie, now_utc())
        if found is None:
            return None
        g.csrf = found[1]
        return accounts.actor_of(found[0])


def _refuse_nul() -> None:
    """Nothing is named so, and PostgreSQL would not even look for it."""
    if "\0" in request.path:
        raise NotFound()


# What the framework itself refuses → our code; whatever else it refuses is a bad request.
_HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "bad_encoding",
    416: "range_not_satisfiable",
}


def _answer_error(fault: Exception) -> Response:
    if isinstance(fault, Problem):
        return render(fault)
    if isinstance(fault, HTTPException):
        status = fault.code or 500
        problem = Problem(_HTTP_CODES.get(status, "bad_request" if status < 500 else "internal"))
        return render(problem, dict(fault.get_headers()) if status == 405 else {})
    if isinstance(fault, DataError):
        log.warning("data_refused", path=request.path, error=repr(fault.orig)[:200])
        return render(Problem("invalid", "a value that cannot be stored: too large, too long or of no known form"))
    if (passing := problem_of(fault)) is not None:
        log.warning("database_trouble", path=request.path, error=repr(fault)[:200])
        return render(passing)
    log.exception("unhandled", path=request.path)
    return render(Problem("internal"))


def _is_for_a_person() -> bool:
    """Whether a browser asks for a page: it likes HTML better than JSON, and does not speak to a door of machines."""
    kinds = ("application/problem+json", "application/json", "text/html")
    is_door = request.path.startswith(("/v1/", "/sync/"))
    return not is_door and bool(request.accept_mimetypes) and request.accept_mimetypes.best_match(kinds) == "text/html"


def render(problem: Problem, more: dict[str, str] | None = None) -> Response:
    """RFC 9457 problem+json of an error, in the language that was asked for; for a person with a browser, a page."""
    language = "en" if request.accept_languages.best_match(["zh", "en"]) == "en" else "zh"
    extra = dict(problem.extra)
    headers = {k: v for k, v in (more or {}).items() if k == "Allow"} | extra.pop("headers", {})
    if problem.retry_after_s:
        headers["Retry-After"] = str(problem.retry_after_s)
        extra.setdefault("retry_after", problem.retry_after_s)
    if _is_for_a_person():
        page = fault_page(problem)
        page.headers.extend(headers)
        return page
    body = {"type": f"/problems/{problem.code}", "title": problem.title(language), "status": problem.status, "code": problem.code,
            "detail": problem.detail, "errors": list(problem.errors), "retryable": problem.code in RETRYABLE} | extra  # fmt: skip
    if request.path.startswith(("/sync/v1/blobs", "/sync/v1/rescue")):
        headers["Tus-Resumable"] = "1.0.0"
    return Response(orjson.dumps(body), problem.status, headers, mimetype="application/problem+json")


def _finish(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _CSP)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype in _JSON_KINDS:
        response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype in _PACKED_KINDS and not response.is_streamed and not response.content_encoding:
        coding, data = packing.answer(response.get_data(), request.accept_encodings.quality)
        if coding != "identity":
            response.set_data(data)
            response.headers["Content-Encoding"] = coding
        response.headers.add("Vary", "Accept-Encoding")
    _let_go(response)
    return response


def _let_go(response: Response) -> None:
    """A refused request's body is not waited for: other phones need the thread (P84)."""
    line, body = request.environ.get("gunicorn.socket"), request.environ.get("wsgi.input")
    has_body = request.content_length or "Transfer-Encoding" in request.headers
    if response.status_code >= 400 and has_body and isinstance(line, socket.socket):
        response.call_on_close(lambda: lines.let_go(line, body))


__all__ = ["CODES", "COOKIE", "SYSTEM", "create_app", "render", "start_worker"]
