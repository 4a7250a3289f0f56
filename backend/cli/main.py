"""All commands. Each reads options, calls one function of a feature and prints."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from backend import __version__
from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.accounts import tokens
from backend.cli import as_json, show, with_app
from backend.cli import period as _period  # noqa: F401 - its commands are of `ledger`
from backend.cli.backup import backup, restore, verify
from backend.cli.compact import compact
from backend.cli.document import document
from backend.cli.duty import duty
from backend.cli.export import export
from backend.cli.notice import notice
from backend.cli.overdue import escalate
from backend.cli.reading import geo, ledger
from backend.cli.rescue import rescue
from backend.cli.sample import sample
from backend.cli.setup import add_user, install_packs, load_city, migrate
from backend.cli.worker import worker
from backend.config import SETTINGS, load
from backend.database import snapshot, transaction
from backend.errors import NotFound
from backend.journal import book
from backend.now import now_utc
from backend.ops.apply import submit
from backend.packs import shipped_city, shipped_packs
from backend.programmes import queries as programmes
from backend.programmes.packs import check_pack
from backend.sweeps import queries as sweeps
from backend.territory.city_files import CityFileError


@click.group()
@click.version_option(__version__)
def main() -> None:
    """护园 Huyuan: 校园周边与火灾隐患排查后台 / field inspection backend."""


@main.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema (atomic)."""
    migrate(load())


@main.group()
def city() -> None:
    """Districts, townships, sites, departments, posts."""


@city.command("load")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@as_json
@with_app
def city_load(folder: Path | None, as_json: bool) -> None:
    """Load a city's folder (default: the shipped Zibo). Twice changes nothing."""
    try:
        show(load_city(folder or shipped_city()), as_json)
    except CityFileError as broken:
        for problem in broken.problems:
            click.echo(str(problem), err=True)
        sys.exit(1)


@main.group()
def pack() -> None:
    """Programme packs."""


@pack.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@as_json
def pack_check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check pack files (default: the shipped ones); 1 where one is faulty."""
    found = [vars_of(p) for file in files or shipped_packs() for p in check_pack(file)]
    show({"packs": len(files or shipped_packs()), "problems": found}, as_json)
    sys.exit(1 if found else 0)


def vars_of(problem: Any) -> dict[str, str]:
    """A fault as JSON."""
    return {"file": problem.path, "pointer": problem.pointer, "reason": problem.reason}


@pack.command("install")
@as_json
@with_app
def pack_install(as_json: bool) -> None:
    """Install the shipped packs."""
    show({"installed": install_packs()}, as_json)


@pack.command("list")
@as_json
@with_app
def pack_list(as_json: bool) -> None:
    """Installed versions."""
    with snapshot() as session:
        show(
            [
                {"programme": p.programme, "version": p.version, "digest": p.digest}
                for p in programmes.installed(session, SYSTEM)
            ],
            as_json,
        )


@main.group()
def sweep() -> None:
    """Sweeps, teams, tasks."""


@sweep.command("open")
@click.argument("sweep_id")
@click.argument("plan", type=click.File("r", encoding="utf-8"))
@as_json
@with_app
def sweep_open(sweep_id: str, plan: Any, as_json: bool) -> None:
    """Open a sweep from a JSON plan {title, programmes, teams}."""
    done = submit("sweep.open", json.load(plan), SYSTEM, ent=("sweep", sweep_id))
    show({"sweep": sweep_id, "status": done.status, **done.result}, as_json)


@sweep.command("show")
@as_json
@with_app
def sweep_show(as_json: bool) -> None:
    """Sweeps and their progress."""
    with snapshot() as session:
        show(
            {
                "sweeps": [s.id for s in sweeps.sweeps(session, SYSTEM)],
                "tasks": sweeps.progress(session, SYSTEM),
            },
            as_json,
        )


@main.group()
def user() -> None:
    """People."""


@user.command("add")
@click.argument("login")
@click.option("--name", required=True)
@click.option("--role", required=True)
@click.option("--area", default="")
@click.option("--department")
@click.option("--password", prompt=True, hide_input=True, envvar="HUYUAN_NEW_PASSWORD")
@as_json
@with_app
def user_add(login: str, name: str, role: str, area: str, department: str | None, password: str, as_json: bool) -> None:
    """Add a person; the password is asked for."""
    show(add_user(login, name, role, area, department, password), as_json)


@user.command("list")
@as_json
@with_app
def user_list(as_json: bool) -> None:
    """All people."""
    with snapshot() as session:
        show(
            [
                {"login": u.login, "name": u.name, "role": u.role, "areas": u.areas}
                for u in accounts.users(session, SYSTEM)
            ],
            as_json,
        )


@main.group()
def device() -> None:
    """Devices."""


@device.command("code")
@click.argument("login")
@as_json
@with_app
def device_code(login: str, as_json: bool) -> None:
    """A one-time enrolment code for a person."""
    with transaction() as session:
        found = accounts.user_by_login(session, login)
        if found is None:
            raise NotFound(f"nobody signs in as {login}")
        code = tokens.make_code(session, found.id, now_utc())
    show({"login": login, "code": code, "hours": tokens.CODE_LIFE_H}, as_json)


@device.command("revoke")
@click.argument("device_id")
@as_json
@with_app
def device_revoke(device_id: str, as_json: bool) -> None:
    """Revoke a lost device."""
    with transaction() as session:
        if not tokens.revoke_device(session, device_id):
            raise NotFound(f"no device {device_id}")
    show({"revoked": device_id}, as_json)


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


main.add_command(backup)
main.add_command(restore)
main.add_command(verify)
main.add_command(geo)
main.add_command(ledger)
main.add_command(document)
main.add_command(duty)
main.add_command(notice)
main.add_command(export)
main.add_command(rescue)
main.add_command(sample)
main.add_command(worker)
main.add_command(compact)
main.add_command(escalate)
