"""Exports over HTTP: what and in which form; the file is made by files.py. No sums."""

from typing import IO

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from backend import incoming, spooled
from backend.access.guard import require, web_actor
from backend.exports import files, tables
from backend.ledgers import queries as ledgers
from backend.ledgers.views import today

exports_bp = Blueprint("exports", __name__, url_prefix="/v1/exports")


@exports_bp.get("/<what>.<form>")
def export(what: str, form: str) -> Response:
    actor = web_actor()
    require(actor, "ledger.export")
    node = incoming.parameters("node").get("node")
    files.named(what, form)
    kind = incoming.choose(tables.FORMS[form][0])

    def write(session: Session, file: IO[bytes]) -> None:
        files.write(session, actor, what, form, node or ledgers.home(session, actor), today(), file)

    answer = spooled.answer(write, kind)
    answer.headers["Content-Disposition"] = f"attachment; filename={what}.{form}"
    return answer
