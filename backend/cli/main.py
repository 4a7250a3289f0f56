"""All commands. Each reads options, calls one function of a feature and prints."""

import sys

import click

from backend import __version__
from backend.cli import as_json, show, with_app
from backend.cli import period as _period  # noqa: F401 - its commands are of `ledger`
from backend.cli.backup import backup, restore, verify
from backend.cli.city import city
from backend.cli.compact import compact
from backend.cli.device import device
from backend.cli.document import document
from backend.cli.duty import duty
from backend.cli.export import export
from backend.cli.notice import notice
from backend.cli.overdue import escalate
from backend.cli.pack import pack
from backend.cli.reading import geo, ledger
from backend.cli.rescue import rescue
from backend.cli.sample import sample
from backend.cli.setup import migrate
from backend.cli.sweep import sweep
from backend.cli.user import user
from backend.cli.worker import worker
from backend.config import SETTINGS, load
from backend.database import snapshot
from backend.journal import book


@click.group()
@click.version_option(__version__)
def main() -> None:
    """护园 Huyuan: 校园周边与火灾隐患排查后台 / field inspection backend."""


@main.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema (atomic)."""
    migrate(load())


@main.command("journal-verify")
@as_json
@with_app
def journal_verify(as_json: bool) -> None:
    """Walk the journal's hash chain; 1 where a row was altered."""
    with snapshot() as session:
        broken = list(book.verify(session))
    show({"ok": not broken, "broken": broken[:10]}, as_json)
    sys.exit(1 if broken else 0)


@main.command("doctor")
@as_json
@with_app
def doctor(as_json: bool) -> None:
    """What this server runs on, and whether it can."""
    from backend.cli.setup import examine  # noqa: PLC0415 - only this command needs it

    facts = examine()
    show(facts, as_json)
    sys.exit(0 if facts["ok"] else 1)


@main.command("config")
def config_table() -> None:
    """Every setting, its default and meaning."""
    for key, (default, meaning) in SETTINGS.items():
        click.echo(f"{key}\t{default}\t{meaning}")


@main.command("field-day")
@click.option("--sites", default=320, help="sites to inspect, at least")
@click.option("--kills", default=0, help="kill -9 of the server while the day is played")
@click.option("--seed", default=1275)
@click.option("--json", "as_json", is_flag=True)
def field_day(sites: int, kills: int, seed: int, as_json: bool) -> None:
    """Play a whole day through the real HTTP API, then check it."""
    from backend.cli.field_day import play  # noqa: PLC0415 - starts servers; only this command may

    report = play(sites, kills, seed)
    show(report, as_json)
    sys.exit(0 if report["ok"] else 1)


@main.command("serve")
@click.option("--host", envvar="HOST", default="127.0.0.1")
@click.option("--port", envvar="PORT", default=8000)
@click.option("--first-start", is_flag=True, help="load the demo city and play the field day where there is none yet")
def serve(host: str, port: int, first_start: bool) -> None:
    """Migrate and serve."""
    from gunicorn.app.wsgiapp import run as run_gunicorn  # noqa: PLC0415 - only this command serves

    from backend.cli.setup import first_start as prepare  # noqa: PLC0415
    from backend.cli.setup import server_command  # noqa: PLC0415

    prepare(load(), first_start)
    click.echo(
        f"护园 http://{host}:{port}/  示例账号 sample sign-ins: city / zhangdian / emergency / auditor, 密码 password: huyuan-demo-2026"
    )
    sys.argv = server_command(host, port)[2:]  # in this process: what is imported need not be imported again
    run_gunicorn()


for command in (city, pack, sweep, user, device, backup, restore, verify, geo, ledger, document, duty, notice, export, rescue, sample,
                worker, compact, escalate):  # fmt: skip
    main.add_command(command)
