"""Commands that only read: places and ledgers. Each reads options, calls one function and prints."""

import sys
from pathlib import Path

import click

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.errors import Invalid
from backend.exports import ledgers as exports
from backend.geometry import Crs, to_wgs84
from backend.ledgers import proof
from backend.ledgers import queries as ledgers
from backend.ledgers.views import moment, today
from backend.territory import geo_index
from backend.territory import queries as territory

as_of = click.option(
    "--as-of", "as_of", default=None, help="a day of the city, or an instant with its zone; default: now"
)


@click.group()
def geo() -> None:
    """Places."""


@geo.command("locate", context_settings={"ignore_unknown_options": True})
@click.argument("lon", type=float)
@click.argument("lat", type=float)
@click.option("--crs", type=click.Choice([c.value for c in Crs]), default="wgs84")
@click.option("--accuracy", "accuracy_m", type=float, default=0.0, help="metres")
@click.option("--radius", "radius_m", type=float, default=200.0, help="perimeters within, metres")
@as_json
@with_app
def geo_locate(lon: float, lat: float, crs: str, accuracy_m: float, radius_m: float, as_json: bool) -> None:
    """District, township, perimeters and distances of a point, with reasons."""
    try:
        x, y = (float(v) for v in to_wgs84(lon, lat, crs))
    except ValueError as fault:
        raise Invalid(str(fault)) from fault
    with snapshot() as session:
        found = geo_index.locate_point(session, x, y, accuracy_m)
        near = geo_index.perimeters_within(session, x, y, radius_m)
    given = {"lon": lon, "lat": lat, "crs": crs}
    show({"given": given, "wgs84": [round(x, 8), round(y, 8)], **found, "perimeters": near}, as_json)


@click.group()
def ledger() -> None:
    """Ledgers (台账)."""


@ledger.command("show")
@click.option("--node", default=None)
@click.option(
    "--by",
    default="area",
    type=click.Choice(["area", *ledgers.AXES]),
)
@as_of
@as_json
@with_app
def ledger_show(node: str | None, by: str, as_of: str | None, as_json: bool) -> None:
    """Roll-up of a node, now or as of a moment."""
    with snapshot() as session:
        when = moment(session, as_of)
        made = ledgers.rollup(session, SYSTEM, node or territory.city_id(session), when.today, by, when.clock)
    if as_json:
        return show(made, True)
    for row in exports.area_rows(made):
        click.echo(
            f"{row['name']}\t{row['found']}\t{row.get('open', '')}\t{row.get('overdue', '')}\t{row.get('rate', '')}"
        )
    return None


@ledger.command("export")
@click.option("--node", default=None)
@click.option("--format", "form", type=click.Choice(["json", "csv", "xlsx"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@with_app
def ledger_export(node: str | None, form: str, out: Path) -> None:
    """The whole ledger of a node as a file."""
    with snapshot() as session:
        exports.write(session, SYSTEM, node or territory.city_id(session), today(), form, out)
    click.echo(str(out))


@ledger.command("reconcile")
@as_of
@as_json
@with_app
def ledger_reconcile(as_of: str | None, as_json: bool) -> None:
    """Whether every total equals the sum of its parts, and the counts that are kept a recount; 1 where not."""
    with snapshot() as session:
        when = moment(session, as_of)
        made = proof.reconcile(session, SYSTEM, when.today, when.clock)
        made["drift"] = [f"{what} {how}" for what, how in proof.drift(session)]
    show(made, as_json)
    sys.exit(0 if made["reconciles"] and not made["drift"] else 1)
