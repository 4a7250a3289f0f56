"""Exports over HTTP: what and in which form; the files are made by files.py and periods.py. No sums."""

from collections.abc import Callable
from typing import IO

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from backend import incoming, spooled
from backend.access.guard import require, web_actor
from backend.access.scope import Actor
from backend.exports import files, periods, tables
from backend.ledgers import queries as ledgers
from backend.ledgers.views import today
from backend.periods.queries import axis

exports_bp = Blueprint("exports", __name__, url_prefix="/v1/exports")


@exports_bp.get("/<what>.<form>")
def export(what: str, form: str) -> Response:
    actor = _exporter()
    node = incoming.parameters("node").get("node")
    files.named(what, form)

    def write(session: Session, file: IO[bytes]) -> None:
        files.write(session, actor, what, form, node or ledgers.home(session, actor), today(), file)

    return _attached(write, tables.FORMS[form][0], f"{what}.{form}")


@exports_bp.get("/periods/<number>.<form>")
def period(number: str, form: str) -> Response:
    actor, asked = _exporter(), incoming.parameters("node", "by")
    by, kind = axis(asked.get("by")), periods.media_type(form)

    def write(session: Session, file: IO[bytes]) -> None:
        periods.write(session, actor, number, form, asked.get("node"), by, file)

    return _attached(write, kind, f"period.{form}")


@exports_bp.get("/restatements/<number>.<form>")
def restatement(number: str, form: str) -> Response:
    actor, asked = _exporter(), incoming.parameters("node", "by", "edition")
    by, kind = axis(asked.get("by")), periods.media_type(form)

    def write(session: Session, file: IO[bytes]) -> None:
        periods.write_restated(session, actor, number, form, asked.get("node"), by, asked.get("edition"), file)

    return _attached(write, kind, f"restatement.{form}")


def _exporter() -> Actor:
    actor = web_actor()
    require(actor, "ledger.export")
    return actor


def _attached(write: Callable[[Session, IO[bytes]], None], kind: str, name: str) -> Response:
    """The file, to be kept under a name. Raises as `write`."""
    answer = spooled.answer(write, incoming.choose(kind))
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer
