"""No device clock decides anything (I15, C1), none stops anything (C2, C3); what is found of it is kept and shown."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flask import Flask
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from backend.accounts import queries as accounts
from backend.app import create_app
from backend.database import Base, close_app, snapshot, transaction
from backend.ops.models import LoggedOp
from backend.problems.models import Problem
from backend.sweeps.queries import with_teams
from backend.sync import push, times
from sync_protocol import timetoken
from sync_protocol.client.session import FieldClient
from sync_protocol.client.timing import Pulse
from sync_protocol.identity import GENESIS, chain_head, fingerprint
from tests.faults.phones import CODES, sites
from tests.faults.rig import Place, Server, Template

KEY = timetoken.derived(b"for-tests-only")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
# What a clock may be seen in: the body itself and what hangs on its bytes, and the estimate and its copies.
BY_CLOCK = {
    "body",
    "fp",
    "head",
    "hash",
    "prev",
    "t_est_ms",
    "t_lo_ms",
    "t_hi_ms",
    "t_quality",
    "found_at",
    "found_quality",
}


def checklist(site: str, failed: list[str]) -> dict[str, Any]:
    answers = {code: "fail" if code in failed else "pass" for code in CODES[:20]}
    return {"task_id": f"faults:{site}:campus-perimeter", "site_id": site, "programme": "campus-perimeter",
            "template_version": 1, "team_id": "tf1", "answers": answers}  # fmt: skip


def script(own: list[str]) -> list[dict[str, Any]]:
    """Ops of every kind of outcome: raised, joined, parked, refused by the table, unknown, twice."""
    report = {"item": "A101", "programme": "campus-perimeter", "template_version": 1, "site_id": None,
              "fix": {"lon": 118.0448, "lat": 36.807, "accuracy_m": 8, "crs": "wgs84"}}  # fmt: skip
    made = [
        ("inspection.submit", ("inspection", "i-1"), checklist(own[0], ["A101", "A102"])),
        ("inspection.submit", ("inspection", "i-2"), checklist(own[1], [])),
        ("inspection.submit", ("inspection", "i-3"), checklist(own[0], ["A101"])),
        ("inspection.submit", ("inspection", "i-1"), checklist(own[2], ["A101"])),
        ("problem.report", ("finding", "f-1"), report),
        ("problem.act", ("problem", "p-i-1:A101"), {"action": "report_fixed"}),
        ("problem.act", ("problem", "p-i-1:A102"), {"action": "close"}),
        ("thing.unheard", ("thing", "t-1"), {}),
        ("inspection.submit", ("inspection", "i-4"), checklist(own[3], ["A103"])),
    ]
    return [{"op": f"op-{n:06}", "verb": v, "v": 1, "actor": "u-f1", "ent": {"t": t, "id": i}, "args": a}
            for n, (v, (t, i), a) in enumerate(made)]  # fmt: skip


STILL = {
    "notice_facts",  # a queue: its names are made as they come
    "sites",
    "posts",
    "holdings",
    "areas",
    "programmes",
    "departments",
}  # the city: no op of these moves it


def push_script(app: Flask, own: list[str], ats: list[Any]) -> tuple[Any, dict[str, Any]]:
    """Push the script, each op with its `at`; (outcomes, every table without what may be seen of a clock)."""
    with transaction() as session:
        user = accounts.user_by_id(session, "u-f1")
        actor = with_teams(session, user, "d-1")
        push.register(session, actor, "install-1", "nonce-1", "r-1", NOW)
        epoch = push.meta(session, actor).epoch
    ops, head = [], GENESIS
    for n, (body, at) in enumerate(zip(script(own), ats, strict=True), 1):
        text = json.dumps(body | ({} if at is None else {"at": at}))
        ops.append({"seq": n, "prev": head, "body": text})
        head = chain_head(head, "r-1", n, fingerprint(text))
    request = {"replica": "r-1", "epoch": epoch, "ops": [*ops, ops[0]]}
    answer = push.receive(request, actor, NOW, app.extensions["config"])
    with snapshot() as session:
        tables = {name: table for name, table in Base.metadata.tables.items() if name not in STILL}
        return answer["results"], {name: _rows(session, table) for name, table in tables.items()}


@contextmanager
def changed(place: Place, former: tuple[str, ...]) -> Iterator[Flask]:
    """An app of a place whose secret is another one now."""
    app = create_app(replace(place.config(), secret_key="the-next-one", former_secrets=former))
    with app.app_context():
        yield app
    close_app(app)


def _rows(session: Any, table: Any) -> list[dict[str, Any]]:
    rows = session.execute(select(table).order_by(*table.primary_key.columns)).mappings()
    return [{k: v for k, v in row.items() if k not in BY_CLOCK} for row in rows]


class Ready:
    """The script played without any clock, and a way to play it again from the same beginning (at the same path, so
    that what the server keeps in memory of the city need not be read again)."""

    def __init__(self, template: Template, folder: Path) -> None:
        self.template, self.folder = template, folder
        self.own = sites(template.copy(folder))
        self.outcomes, self.state = self.play([None] * 9)

    def play(self, ats: list[Any]) -> tuple[Any, dict[str, Any]]:
        """Outcomes and state of the script with these `at`."""
        shutil.rmtree(self.folder)
        with self.template.copy(self.folder).app() as app:
            return push_script(app, self.own, ats)


@pytest.fixture(scope="module")
def ready(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """What every example is held against."""
    return Ready(sqlite_template, tmp_path_factory.mktemp("clocks") / "place")


WALLS = st.sampled_from(
    ["1970-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "2026-11-24T17:00:00+08:00", "2026-01-01", "", None, 7]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
ODD = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
ATS = st.fixed_dictionaries({"wall": WALLS}, optional={
    "mono": ODD, "boot": ODD, "tok": ODD, "tz": ODD, "anchor": ODD | st.fixed_dictionaries({"mono": ODD, "unc": ODD}),
})  # fmt: skip


@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # a shrink takes minutes
@given(st.lists(ODD | ATS, min_size=9, max_size=9))
def test_c1_whatever_the_clocks_say_outcomes_and_state_are_the_same(ready: Ready, ats: list[Any]) -> None:
    outcomes, state = ready.play(ats)
    assert outcomes == ready.outcomes
    for name, rows in ready.state.items():
        if name != "journal":  # its rows hold fingerprints, and so the clocks' words
            assert state[name] == rows, name
    assert len(state["journal"]) == len(ready.state["journal"])


def test_c1_the_script_has_outcomes_of_every_kind(ready: Ready) -> None:
    assert [(r["status"], r.get("reason"), r["dup"]) for r in ready.outcomes] == [
        ("applied", None, False), ("applied", None, False), ("applied", None, False), ("parked", "conflict", False),
        ("applied", None, False), ("parked", "invalid", False), ("parked", "conflict", False),
        ("parked", "unknown_type", False), ("applied", None, False), ("applied", None, True),
    ]  # fmt: skip


class Clockwork:
    """A phone's clocks, turned by hand."""

    def __init__(self) -> None:
        self.wall, self.mono_ms, self.boot = datetime.now(UTC), 5_000_000, "boot-1"

    def client(self, folder: Path, url: str) -> FieldClient:
        pulse = Pulse(lambda: self.mono_ms, self.boot)
        return FieldClient(folder, url, lambda: self.wall, Random(7).randbytes, pulse=pulse)


@pytest.fixture(scope="module")
def served(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    place = sqlite_template.copy(tmp_path_factory.mktemp("time") / "place")
    server = Server(place)
    server.start()
    yield place, server
    server.end()


def logged(place: Place, op: str) -> Any:
    with place.app(), snapshot() as session:
        return session.execute(select(LoggedOp.t_est_ms, LoggedOp.t_lo_ms, LoggedOp.t_hi_ms, LoggedOp.t_quality,
                                      LoggedOp.status).where(LoggedOp.op_id == op)).one()  # fmt: skip


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def test_c2_c3_wrong_clocks_and_reboots_stop_nothing_and_the_truth_is_within_the_interval(
    served: tuple[Place, Server], tmp_path: Path
) -> None:
    place, server = served
    clocks, began = Clockwork(), datetime.now(UTC)
    phone = clocks.client(tmp_path / "phone", server.url)
    phone.enrol(place.code(1), "clock-install")
    assert phone.sync(tries=3)
    own, truth = sites(place), {}
    for n, wall in enumerate(
        [
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(2038, 1, 19, 4, tzinfo=UTC),
            clocks.wall - timedelta(hours=9),
        ]
    ):
        clocks.wall = wall
        truth[phone.record("inspection.submit", ("inspection", f"i-clock-{n}"), checklist(own[n], ["A101"]))] = (
            datetime.now(UTC)
        )
    phone.close()
    clocks.boot, clocks.mono_ms = "boot-2", 100
    phone = clocks.client(tmp_path / "phone", server.url)
    after = phone.record("inspection.submit", ("inspection", "i-clock-9"), checklist(own[9], ["A101"]))
    truth[after] = datetime.now(UTC)
    body = json.loads(phone.store.state("outbox")["outbox"][-1]["body"])
    assert body["at"]["tok"] and "anchor" not in body["at"]
    assert phone.sync(tries=3)
    still_ms = ms(datetime.now(UTC)) - ms(began)  # the clock by hand stood still for as long as this took
    for op, at in truth.items():
        found = logged(place, op)
        assert found.status == "applied" and found.t_lo_ms <= found.t_est_ms <= found.t_hi_ms
        assert found.t_quality == "anchored", op
        assert found.t_lo_ms - still_ms <= ms(at) <= found.t_hi_ms + still_ms
    with place.app(), snapshot() as session:
        problem = session.execute(select(Problem.__table__).where(Problem.id == "p-i-clock-0:A101")).one()
    assert problem.found_quality == "anchored" and abs(ms(problem.found_at) - ms(min(truth.values()))) <= still_ms + 1_000
    assert problem.received_at >= problem.found_at and problem.assigned_at is not None
    shown = next(row for row in phone.rows("problem") if row["id"] == problem.id)
    assert shown["found_quality"] == "anchored"
    phone.close()


@pytest.mark.parametrize(
    ("former", "quality"), [((), "wall_only"), (("for-tests-only",), "bracketed"), (("other",), "wall_only")]
)
def test_p80_a_secret_may_be_changed_and_what_phones_hold_still_counts(
    sqlite_template: Template, tmp_path: Path, former: tuple[str, ...], quality: str
) -> None:
    place = sqlite_template.copy(tmp_path / "place")
    held = times.stamp(place.config(), NOW - timedelta(hours=3), "r-1")["tok"]
    at = {
        "wall": (NOW - timedelta(hours=1)).isoformat(),
        "tok": timetoken.issue(ms(NOW - timedelta(hours=3)), bytes(8), "r-1", KEY),
    }
    assert timetoken.read(held, [KEY]) is not None
    with changed(place, former) as app:
        outcomes, _ = push_script(app, sites(place), [at] + [None] * 8)
    assert outcomes[0]["status"] == "applied"
    found = logged(place, "op-000000")
    assert (found.t_quality, found.t_est_ms) == (quality, ms(NOW - timedelta(hours=1)))
