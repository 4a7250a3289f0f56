"""`backup …`, `restore`, `verify`: each reads options, calls one function of backups and prints. No logic."""

import sys
from pathlib import Path
from typing import Any

import click
from flask import current_app

from backend.app import configure_logs
from backend.backups import proof, routine
from backend.backups import restore as restores
from backend.backups import verify as verifies
from backend.cli import as_json, show, with_app
from backend.config import Config, load
from backend.errors import Problem
from backend.ledgers.views import today
from backend.now import now_utc


@click.group(invoke_without_command=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="a folder for a new folder in it, or a name that ends with .tar",
)
@click.option("--photos", "with_photos", is_flag=True, help="the photos themselves, not only their list")
@click.option("--keep", type=click.IntRange(1), help="afterwards remove all but the newest N beside it")
@as_json
@click.pass_context
def backup(ctx: click.Context, out: Path | None, with_photos: bool, keep: int | None, as_json: bool) -> None:
    """Back up the record while the server works, and prove the backup; 1 where it does not prove sound."""
    if ctx.invoked_subcommand is None:
        _backup(out, with_photos, keep, as_json)


@with_app
def _backup(out: Path | None, with_photos: bool, keep: int | None, as_json: bool) -> None:
    config: Config = current_app.extensions["config"]
    report = routine.run(config, out or config.data / "backups", with_photos, keep, now_utc())
    show(report if as_json else _short(report), as_json)
    sys.exit(0 if report["ok"] else 1)


@backup.command("verify")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--note",
    is_flag=True,
    help="tell this server that the backup is sound: devices may let go of what it holds",
)
@as_json
def backup_verify(path: Path, note: bool, as_json: bool) -> None:
    """Prove a backup: hashes, integrity, references, op log, journal, ledgers; 1 where it does not hold."""
    report = _proven(path)
    if note and report["ok"]:
        report |= _note(report)
    show(report if as_json else _short(report), as_json)
    sys.exit(0 if report["ok"] else 1)


def _proven(path: Path) -> dict[str, Any]:
    try:
        return proof.prove(path)
    except Problem as problem:
        click.echo(str(problem), err=True)
        sys.exit(1)


@with_app
def _note(report: dict[str, Any]) -> dict[str, Any]:
    return routine.note(current_app.extensions["config"], report, now_utc())


@click.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="data directory (default: HUYUAN_DATA)")
@click.option(
    "--database-url",
    default="",
    help="another database, such as postgresql://… (default: that of the data directory)",
)
@click.option("--force", is_flag=True, help="also over a record that is there; SQLite keeps it under another name")
@as_json
def restore(path: Path, data: Path | None, database_url: str, force: bool, as_json: bool) -> None:
    """Put a backup back, into a new epoch: every device offers again what came after it."""
    config = load(data, database_url)
    configure_logs(config.log_level)
    try:
        report = restores.restore(path, config, force, now_utc())
    except Problem as problem:
        click.echo(str(problem), err=True)
        sys.exit(1)
    show(report if as_json else _short(report), as_json)
    sys.exit(0 if report["ok"] else 1)


@click.command("verify")
@as_json
@with_app
def verify(as_json: bool) -> None:
    """Prove the whole record: photos, op log, replicas, journal, feed, ledgers, what was published; the first
    broken rows are named."""
    report = verifies.record_of(today(), current_app.extensions["photo_store"])
    show(report if as_json else _short(report), as_json)
    sys.exit(0 if report["ok"] else 1)


def _short(report: dict[str, Any]) -> dict[str, Any]:
    """For people: one line a check, broken rows by name."""
    checks = report.get("checks") or report.get("verify", {}).get("checks", {})
    lines = {name: "ok" if c["ok"] else f"{c['broken']} broken: {c['first']}" for name, c in checks.items()}
    return {k: v for k, v in report.items() if k not in ("checks", "verify")} | lines
