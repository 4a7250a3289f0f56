"""Whether the process lives, whether it can work, which version it is. Reads only."""

from typing import Any

from flask import Blueprint, current_app
from sqlalchemy.exc import SQLAlchemyError

from backend import __version__
from backend.access.scope import SYSTEM
from backend.database import gate, probe, snapshot
from backend.errors import Problem
from backend.feed.log import meta
from backend.gate import GateBusy
from backend.trouble import problem_of

health_bp = Blueprint("health", __name__)


@health_bp.get("/healthz")
def healthz() -> dict[str, Any]:
    return {"status": "ok"}


@health_bp.get("/readyz")
def readyz() -> dict[str, Any]:
    """Whether requests should be sent here: not while draining, nor without a database that takes changes, or disk."""
    if current_app.extensions.get("draining"):
        raise _not_ready("draining")
    epoch = _epoch()
    free = current_app.extensions["photo_store"].free_bytes()
    if free < current_app.extensions["config"].min_free_bytes:
        raise _not_ready("storage_full")
    return {"status": "ready", "epoch": epoch, "free_bytes": free}


def _epoch() -> str:
    """This server's history, from a database that takes changes. Raises Problem not_ready."""
    try:
        if gate().is_doubtful():
            raise _not_ready("database")
        if gate().failed_at_s is not None:
            probe()
        with snapshot() as session:
            return meta(session, SYSTEM).epoch
    except (SQLAlchemyError, GateBusy) as fault:
        passing = problem_of(fault)
        raise _not_ready(passing.code if passing else "database") from fault


def _not_ready(reason: str) -> Problem:
    return Problem("not_ready", reason, retry_after_s=5)


@health_bp.get("/version")
def version() -> dict[str, Any]:
    return {"version": __version__}
