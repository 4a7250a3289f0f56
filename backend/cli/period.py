"""`ledger publish|restate|restated|file|difference|check`: published periods. Each reads options, calls one function and prints."""

import sys
from pathlib import Path
from typing import Any

import click

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.cli.reading import ledger
from backend.database import snapshot
from backend.errors import NotFound
from backend.exports import periods
from backend.ledgers import queries as ledgers
from backend.ops.apply import submit
from backend.periods import comparing, queries
from backend.periods.models import LedgerPeriod
from backend.territory import queries as territory

_by = click.option("--by", default="area", type=click.Choice(["area", *ledgers.AXES]))
_node = click.option("--node", default=None, help="code of a place; default: the city")
_note = click.option("--note", default="")


@ledger.command("publish")
@click.argument("period")
@click.option("--as-of", "as_of", default=None, help="a day of the city, or an instant with its zone; default: now")
@_note
@as_json
@with_app
def ledger_publish(period: str, as_of: str | None, note: str, as_json: bool) -> None:
    """Publish a period: a week 2026-W47, a month 2026-11, a quarter 2026-Q4, days 2026-11-01/2026-11-15."""
    done = submit("ledger.publish", {"period": period, "as_of": as_of, "note": note}, SYSTEM, ent=("ledger", "city"))
    show(dict(done.result), as_json)


@ledger.command("restate")
@click.argument("number")
@_note
@as_json
@with_app
def ledger_restate(number: str, note: str, as_json: bool) -> None:
    """Publish what counts otherwise now than it was published, with reasons."""
    show(dict(submit("ledger.restate", {"note": note}, SYSTEM, ent=("ledger", number)).result), as_json)


@ledger.command("restated")
@click.argument("number")
@_node
@_by
@as_json
@with_app
def ledger_restated(number: str, node: str | None, by: str, as_json: bool) -> None:
    """Then, now, difference and why of a published period, as of now."""
    with snapshot() as session:
        found = _published(session, number)
        at = node or territory.city_id(session)
        made = queries.restated(session, SYSTEM, found, None, at, by)
        made["changes"] = queries.rows(session, SYSTEM, found, None, at, by, None, None)
    show(made, as_json)


@ledger.command("file")
@click.argument("number")
@click.option("--format", "form", type=click.Choice(list(periods.FORMS)), required=True)
@click.option("--restated", "is_restated", is_flag=True, help="then, now and why instead")
@click.option("--edition", default=None, help="with --restated: as that restatement told it; default: as of now")
@_node
@_by
@click.option("--out", type=click.Path(path_type=Path), required=True)
@with_app
def ledger_file(
    number: str, form: str, is_restated: bool, edition: str | None, node: str | None, by: str, out: Path
) -> None:
    """A published period as a file, with number, digest and completeness below its rows."""
    if edition is not None and not is_restated:
        raise click.UsageError("--edition is one of --restated")
    with snapshot() as session, open(out, "wb") as file:
        at = node or territory.city_id(session)
        if is_restated:
            periods.write_restated(session, SYSTEM, number, form, at, by, edition, file)
        else:
            periods.write(session, SYSTEM, number, form, at, by, file)
    click.echo(str(out))


@ledger.command("difference")
@click.argument("first")
@click.argument("second")
@_node
@_by
@as_json
@with_app
def ledger_difference(first: str, second: str, node: str | None, by: str, as_json: bool) -> None:
    """What was carried over, new, closed and recurred between two publications."""
    with snapshot() as session:
        one, two = _published(session, first), _published(session, second)
        made = comparing.difference(session, SYSTEM, one, two, node or territory.city_id(session), by)
    show(made, as_json)


@ledger.command("check")
@click.argument("number")
@as_json
@with_app
def ledger_check(number: str, as_json: bool) -> None:
    """Whether a publication is what was digested and the record still tells the same; 1 where not."""
    with snapshot() as session:
        made = queries.checked(session, _published(session, number))
    show(made, as_json)
    sys.exit(0 if all(made.values()) else 1)


def _published(session: Any, number: str) -> LedgerPeriod:
    found = queries.get(session, SYSTEM, number)
    if found is None:
        raise NotFound(f"no publication {number}")
    return found
