"""Commands about documents: issue, show, print, verify. Each reads options, calls one function and prints."""

import sys
from pathlib import Path

import click
import orjson
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.accounts import queries as accounts
from backend.cli import as_json, show, with_app
from backend.cli.user import person
from backend.database import snapshot
from backend.documents import queries, rendering
from backend.documents.kinds import KINDS
from backend.documents.models import Document
from backend.documents.schemas import DocumentOut
from backend.documents.views import matches
from backend.errors import Invalid, NotFound
from backend.ops.apply import submit


@click.group()
def document() -> None:
    """Issued documents (文书)."""


@document.command("issue")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("about")
@click.option("--as", "login", required=True, help="who issues it: a login")
@click.option("--field", "given", multiple=True, help="name=value, as often as there is something to fill in")
@click.option("--answers", help="number of the document that it answers")
@as_json
@with_app
def document_issue(
    kind: str, about: str, login: str, given: tuple[str, ...], answers: str | None, as_json: bool
) -> None:
    """Issue a document about a problem (number) or a place (code)."""
    if any("=" not in each for each in given):
        raise Invalid("--field is name=value")
    fields = dict(each.split("=", 1) for each in given)
    args = {"kind": kind, "fields": fields, "answers": answers}
    done = submit("document.issue", args, _person(login), ent=(KINDS[kind].about, about))
    show(dict(done.result), as_json)


@document.command("show")
@click.argument("number")
@as_json
@with_app
def document_show(number: str, as_json: bool) -> None:
    """A document on record, with its facts."""
    with snapshot() as session:
        found = _found(session, number)
        show({**DocumentOut().dump(found), "facts": orjson.loads(found.facts)}, as_json)


@document.command("pdf")
@click.argument("number")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@with_app
def document_pdf(number: str, out: Path) -> None:
    """Print a document into a file."""
    with snapshot() as session:
        found = _found(session, number)
        out.write_bytes(rendering.render(found.facts, found.digest, found.issued_at))
    click.echo(str(out))


@document.command("verify")
@click.argument("number")
@click.argument("digest")
@as_json
@with_app
def document_verify(number: str, digest: str, as_json: bool) -> None:
    """Whether number and digest (its first 16 digits at least) are on record; 1 where not."""
    with snapshot() as session:
        found = queries.get(session, SYSTEM, number)
        is_so = found is not None and matches(found, digest)
    show({"number": number, "verified": is_so}, as_json)
    sys.exit(0 if is_so else 1)


def _found(session: Session, number: str) -> Document:
    found = queries.get(session, SYSTEM, number)
    if found is None:
        raise NotFound(f"no document {number}")
    return found


def _person(login: str) -> Actor:
    with snapshot() as session:
        return accounts.actor_of(person(session, login))
