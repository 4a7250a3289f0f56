"""The command that writes an export into a file. Reads options, calls one function and prints."""

from pathlib import Path

import click

from backend.access.scope import SYSTEM
from backend.cli import with_app
from backend.database import snapshot
from backend.exports import files, tables
from backend.ledgers.views import today
from backend.territory import queries as territory


@click.command("export")
@click.argument("what", type=click.Choice(list(files.EXPORTS)))
@click.option("--format", "form", type=click.Choice(list(tables.FORMS)), required=True)
@click.option("--node", default=None, help="code of a place; without it the city")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@with_app
def export(what: str, form: str, node: str | None, out: Path) -> None:
    """Problems, lists or the area table as a file."""
    files.named(what, form)
    with snapshot() as session, open(out, "wb") as file:
        files.write(session, SYSTEM, what, form, node or territory.city_id(session), today(), file)
    click.echo(str(out))
