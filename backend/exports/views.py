"""Exports over HTTP. A file is made whole first and sent after: a slow line keeps no view of the database open."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from flask import Blueprint, Response, current_app

from backend import incoming
from backend.access.guard import require, web_actor
from backend.access.scope import Actor
from backend.database import snapshot
from backend.exports import files, tables
from backend.ledgers import queries as ledgers
from backend.ledgers.views import today

exports_bp = Blueprint("exports", __name__, url_prefix="/v1/exports")
BLOCK_BYTES = 65_536


@exports_bp.get("/<what>.<form>")
def export(what: str, form: str) -> Response:
    actor = web_actor()
    require(actor, "ledger.export")
    asked = incoming.parameters("node")
    files.named(what, form)
    kind = incoming.choose(tables.FORMS[form][0])
    made = _made(actor, what, form, asked.get("node"))
    answer = Response(_sent(made), mimetype=kind, headers={"Content-Length": str(made.tell())})
    answer.headers["Content-Disposition"] = f"attachment; filename={what}.{form}"
    answer.call_on_close(made.close)
    return answer


def _made(actor: Actor, what: str, form: str, node: str | None) -> IO[bytes]:
    """The whole export in a file without a name. Raises NotFound."""
    with ExitStack() as unless_made:
        file = unless_made.enter_context(tempfile.TemporaryFile(dir=current_app.extensions["config"].data))
        with snapshot() as session:
            files.write(session, actor, what, form, node or ledgers.home(session, actor), today(), file)
        unless_made.pop_all()
    return file


def _sent(made: IO[bytes]) -> Iterator[bytes]:
    made.seek(0)
    while block := made.read(BLOCK_BYTES):
        yield block
