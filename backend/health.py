"""Whether the process lives, whether it can work, which version it is. Reads only."""

from typing import Any

from flask import Blueprint, current_app
from sqlalchemy.exc import SQLAlchemyError

from backend import __version__
from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.errors import Problem
from backend.feed.log import meta

health_bp = Blueprint("health", __name__)


@health_bp.get("/healthz")
def healthz() -> dict[str, Any]:
    return {"status": "ok"}


@health_bp.get("/readyz")
def readyz() -> dict[str, Any]:
    try:
        with snapshot() as session:
            epoch = meta(session, SYSTEM).epoch
    except SQLAlchemyError as fault:
        raise Problem("overloaded", "the database does not answer", retry_after_s=5) from fault
    free = current_app.extensions["photo_store"].free_bytes()
    if free < current_app.extensions["config"].min_free_bytes:
        raise Problem("storage_full", retry_after_s=600)
    return {"status": "ready", "epoch": epoch, "free_bytes": free}


@health_bp.get("/version")
def version() -> dict[str, Any]:
    return {"version": __version__}
