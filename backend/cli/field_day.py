"""The field day: 24 teams, a bad network, late devices, kills, a desk that reassigns, closes and refuses; through the real
HTTP API. Then it checks itself."""

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import func, select

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.accounts import tokens
from backend.app import create_app
from backend.cli import setup
from backend.cli.field_desk import Desk
from backend.cli.field_team import Team
from backend.cli.user import add_user
from backend.config import Config, load
from backend.database import close_app, snapshot, transaction
from backend.inspections.models import Inspection
from backend.journal import book
from backend.ledgers import proof
from backend.ledgers import queries as ledgers
from backend.ledgers.views import today
from backend.now import now_utc
from backend.ops.apply import submit
from backend.ops.models import LoggedOp
from backend.photos import queries as photos
from backend.problems.models import ProblemReport
from backend.territory import queries as territory

TEAMS = 24
HANDOVER_DAYS = timedelta(days=14)
LATE = 3  # devices that come back only when the supervisor has reassigned already
PHOTOS = Path(__file__).parents[2] / "tests" / "photos"


class Server:
    """The real server as a process of its own, which may be killed."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.kills = 0
        self.start()

    def start(self) -> None:
        """Start, and wait until it is ready (30 s at most)."""
        self.process = subprocess.Popen(setup.server_command("127.0.0.1", self.port), start_new_session=True)
        for _ in range(300):
            if self.is_ready():
                return
            time.sleep(0.1)
        raise RuntimeError("the server did not start within 30 s")

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, bytes]:
        """One plain HTTP exchange."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            line.request(method, path, body, headers or {})
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()

    def kill(self) -> None:
        """kill -9 of the whole server, then start it again."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.kills += 1
        self.start()

    def stop(self) -> None:
        """Stop as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def play(sites: int, kills: int, seed: int) -> dict[str, Any]:
    """Play the day against this data directory's database; returns the report (`ok`: everything is as it must be)."""
    config, started = load(), time.monotonic()
    setup.migrate(config)
    app = create_app(config)
    with app.app_context():
        setup.demo()
        sweep = _open(seed)
        homes = config.data / "field-day" / sweep
        shutil.rmtree(homes, ignore_errors=True)
    server = Server()
    try:
        with app.app_context():
            teams = _teams(sweep, homes, server.url, seed)
        _morning(app, teams, sites)
        _evening(server, teams, kills)
        done = _settle(app, server, teams, sweep)
        _wait_for_jobs(app)
    finally:
        server.stop()
    with app.app_context():
        report = _check(config, teams)
    for team in teams:
        team.client.close()
    close_app(app)
    report |= {"seconds": round(time.monotonic() - started, 1), "kills": server.kills, **done, "late_teams": LATE}
    report["ok"] = bool(report["ok"] and done["is_settled"] and report["sites"] >= sites)
    return report


def _settle(app: Any, server: Server, teams: list[Team], sweep: str) -> dict[str, Any]:
    """The desk reassigns while some devices are still away; they come, fixes are reported, the desk closes or refuses them;
    a district is given what is left in it, and the day's ledger is published."""
    desk, other = (Desk.signed_in(server.ask, login, setup.DEMO_PASSWORD) for login in ("city", "emergency"))
    before, reassigned = desk.closed_in_ledger(), desk.reassign("emergency")
    accepted, returned = other.take_up()
    quiet = _each(teams[-LATE:], lambda team: team.sync(), "late devices")
    quiet += _second_visit(teams)
    closed, refused = desk.reinspect()
    is_counted = desk.closed_in_ledger() - before == closed > 0
    with app.app_context():
        day = today()
    is_told = desk.hand_over(sweep, setup.DEMO_DISTRICT, day + HANDOVER_DAYS, sweep) and desk.publish(sweep, day)
    is_settled = all(quiet) and is_counted and is_told and reassigned >= 8 and all((accepted, returned, refused))
    return {"reassigned": reassigned, "accepted": accepted, "returned": returned, "closed": closed, "refused": refused,
            "is_settled": is_settled}  # fmt: skip


def _open(seed: int) -> str:
    with snapshot() as session:
        districts = [a.id for a in territory.areas(session, SYSTEM, "district")]
    sweep = f"day-{now_utc():%y%m%d}-{seed}-{secrets.token_hex(2)}"
    teams = [
        {
            "id": f"{sweep}-{n + 1:02d}",
            "name": f"第{n + 1}组（示例）",
            "areas": [districts[n % len(districts)]],
            "members": [f"u-ins{n + 1:02d}"],
        }
        for n in range(TEAMS)
    ]
    submit(
        "sweep.open",
        {"title": "拉网式排查（示例）", "programmes": ["campus-perimeter", "fire-hazard"], "teams": teams},
        SYSTEM,
        ent=("sweep", sweep),
    )
    return sweep


def _teams(sweep: str, homes: Path, url: str, seed: int) -> list[Team]:
    with snapshot() as session:
        districts = [a.id for a in territory.areas(session, SYSTEM, "district")]
        there = {u.login for u in accounts.users(session, SYSTEM)}
    made = []
    for n in range(TEAMS):
        login = f"ins{n + 1:02d}"
        if login not in there:
            add_user(login, f"排查员{n + 1:02d}（示例）", "inspector", "", None, None)
        made.append(Team(f"{sweep}-{n + 1:02d}", n, districts[n % len(districts)], homes / login, url, seed, PHOTOS))
    return made


def _morning(app: Any, teams: list[Team], sites: int) -> None:
    with app.app_context(), transaction() as session:
        codes = [tokens.make_code(session, f"u-ins{team.n + 1:02d}", now_utc()) for team in teams]
    _each(list(zip(teams, codes, strict=True)), lambda pair: pair[0].start(pair[1]), "enrol and pull")
    shared: dict[str, str] = {}
    for team in teams:
        rows = team.client.rows("task")
        shared.setdefault(team.district, min(task["site"] for task in rows))
    count = -(-(sites + 8) // len(teams)) + 1
    _each(teams, lambda team: team.inspect(count, shared[team.district]), "inspect offline")


def _evening(server: Server, teams: list[Team], kills: int) -> None:
    on_time = teams[:-LATE]
    killer = threading.Thread(target=_kill_often, args=(server, kills))
    killer.start()
    quiet = _each(on_time, lambda team: team.sync(), "sync over a bad line")
    killer.join()
    if not all(quiet):
        raise RuntimeError("a device did not finish syncing")


def _second_visit(teams: list[Team]) -> list[bool]:
    """Each team goes back to the sites that it alone was at: some of what it found there has been fixed meanwhile."""
    seen = Counter(site for team in teams for site in team.sites)
    own = {site for site, times in seen.items() if times == 1}
    return _each(teams, lambda team: team.look_again(own), "fixes reported")


def _kill_often(server: Server, kills: int) -> None:
    for _ in range(kills):
        time.sleep(1.2)
        server.kill()


def _each(items: list[Any], step: Any, title: str) -> list[Any]:
    with (
        ThreadPoolExecutor(8) as pool,
        click.progressbar(length=len(items), label=title, file=sys.stderr) as bar,
    ):
        futures = [pool.submit(step, item) for item in items]
        for future in futures:
            future.exception()
            bar.update(1)
    return [future.result() for future in futures]


def _wait_for_jobs(app: Any, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with app.app_context(), snapshot() as session:
            if photos.underived(session, SYSTEM) == 0:
                return
        time.sleep(0.3)


def _check(config: Config, teams: list[Team]) -> dict[str, Any]:
    ops = [op for team in teams for op in team.ops]
    shas = {sha for team in teams for sha in team.photos}
    with snapshot() as session:
        logged = _in_chunks(session, select(LoggedOp.op_id, LoggedOp.status), LoggedOp.op_id, ops)
        effects = Counter(row.op_id for row in _in_chunks(session, select(Inspection.op_id), Inspection.op_id, ops))
        verified = sum(len(photos.verified(session, SYSTEM, chunk)) for chunk in _chunks(sorted(shas)))
        joined = session.execute(select(func.count()).select_from(ProblemReport)).scalar_one()
        city = territory.city_id(session)
        ledger, sums = (
            ledgers.rollup(session, SYSTEM, city, today()),
            proof.reconcile(session, SYSTEM, today()),
        )
        broken = list(book.verify(session))
    counts = Counter(status for _, status in logged)
    sent = Counter[str]()
    for team in teams:
        sent.update(team.client.sent)
        sent.update(team.line.faults)
    report = {
        "sites": len({site for team in teams for site in team.sites}), "teams": len(teams), "ops_pushed": len(ops), "ops_in_log": len(logged),
        "outcomes": dict(counts), "duplicates_sent": sent["dups"], "duplicates_applied": sum(n - 1 for n in effects.values()),
        "photos_sent": len(shas), "photos_verified": verified, "bytes_sent": sent["bytes"],
        "network_faults": {k: sent[k] for k in ("lost_request", "lost_answer", "sent_twice", "cut_upload")}, "findings": joined,
        "problems_by_district": {row["name"]: row["found"] for row in ledger["rows"]}, "problems": ledger["total"]["found"],
        "unplaced": ledger["unplaced"], "reconciles": sums["reconciles"], "journal_ok": not broken,
    }  # fmt: skip
    report["ok"] = (
        len(ops) == len(logged) and report["duplicates_applied"] == 0 and verified == len(shas) and sums["reconciles"] and not broken
        and counts["applied"] == len(ops) and all(report["problems_by_district"].values())
    )  # fmt: skip
    return report


def _chunks(items: list[str], n: int = 500) -> list[list[str]]:
    return [items[at : at + n] for at in range(0, len(items), n)]


def _in_chunks(session: Any, statement: Any, column: Any, ids: list[str]) -> list[Any]:
    return [row for chunk in _chunks(ids) for row in session.execute(statement.where(column.in_(chunk)))]
