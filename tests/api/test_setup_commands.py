"""The commands that set a server up: what they print, how they end, what they keep of secrets."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.accounts import tokens
from backend.accounts.models import Device, EnrolCode, User
from backend.app import create_app
from backend.cli import setup
from backend.cli.city import city, load_city
from backend.cli.device import device
from backend.cli.pack import install_packs, pack
from backend.cli.reading import geo
from backend.cli.sweep import sweep
from backend.cli.user import add_user, user
from backend.database import close_app, snapshot, transaction
from backend.errors import Problem
from backend.ops.apply import submit
from backend.packs import shipped_city, shipped_packs
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory
from tests.journeys.stage import configure

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
PLAN = {
    "title": "春季排查（示例）",
    "programmes": ["campus-perimeter"],
    "teams": [
        {"id": "t1", "name": "一组（示例）", "areas": ["370303"], "members": ["u-ins1"]},
        {"id": "t2", "name": "二组（示例）", "areas": ["370303"], "members": []},
    ],
}

FRESH = {**PLAN, "teams": [{"id": "t8", "name": "八组（示例）", "areas": ["370303"]}]}
STRANGERS = {"id": "t9", "name": "外地（示例）", "areas": ["9"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A database with the shipped city and packs, one person, one sweep."""
    folder, made = tmp_path_factory.mktemp("commands"), list[Flask]()

    def remembered(*words: Any) -> Flask:
        made.append(create_app(*words))
        return made[-1]

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HUYUAN_DATA", str(folder))
        environment.setattr("backend.app.create_app", remembered)  # the real one; each is closed below
        config = configure(folder)
        setup.migrate(config)
        app = create_app(config)
        with app.app_context():
            load_city(shipped_city())
            install_packs()
            add_user("ins1", "排查员（示例）", "inspector", "370303", None, PASSWORD)
            submit("sweep.open", PLAN, SYSTEM, ent=("sweep", "s1"))
        yield app
        for each in (app, *made):
            close_app(each)


@pytest.fixture
def inside(server: Flask) -> Iterator[Flask]:
    with server.app_context():
        yield server


def run(group: click.Group, *words: str, **environment: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error); a command that fell over is a failure of the test."""
    done = CliRunner().invoke(group, words, env=environment or None)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def write(path: Path, value: Any) -> str:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (city, ["check"]), (city, ["load"]), (city, ["show"]), (pack, ["check"]), (pack, ["install"]),
        (pack, ["list"]), (sweep, ["show"]), (user, ["list"]), (device, ["list"]), (device, ["code", "ins1"]),
        (geo, ["locate", "118.05", "36.81", "--crs", "bd09"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value.name,
)  # fmt: skip
def test_a_command_that_does_its_work_ends_with_0_and_prints_json(
    server: Flask, group: click.Group, words: list[str]
) -> None:
    code, out, _ = run(group, *words, "--json")
    assert code == 0
    assert json.loads(out) is not None


@pytest.mark.parametrize(
    ("group", "words", "said"),
    [
        (device, ["code", "nobody"], "not_found: nobody signs in as nobody"),
        (device, ["revoke", "d-none"], "not_found: no device d-none"),
        (geo, ["locate", "118", "96"], "invalid: longitude"),
        (geo, ["locate", "nan", "36"], "must be finite"),
        (user, ["add", "x1", "--name", "甲", "--role", "city", "--area", "9"], "unknown area 9"),
        (user, ["add", "x1", "--name", "甲", "--role", "city", "--department", "9"], "unknown department 9"),
        (user, ["add", "ins1", "--name", "甲", "--role", "city"], "login ins1 is taken"),
        (user, ["hold-post", "none", "甲（示例）", "--from", "2026-06-01"], "not_found: no such post"),
        (sweep, ["open", "s2", "/nowhere/plan.json"], "cannot be read as JSON"),
        (city, ["load", "/nowhere"], "city.yaml:0: file is missing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_what_is_refused_ends_with_1_and_says_why(
    server: Flask, group: click.Group, words: list[str], said: str
) -> None:
    code, out, err = run(group, *words, HUYUAN_NEW_PASSWORD=PASSWORD)
    assert (code, out) == (1, "")
    assert said in err


@pytest.mark.parametrize(
    "words", [["locate", "118"], ["locate", "x", "36"], ["locate", "118", "36", "--crs", "?"]]
)
def test_wrong_usage_ends_with_2(server: Flask, words: list[str]) -> None:
    assert run(geo, *words)[0] == 2


@pytest.mark.parametrize(
    "plan",
    ["{bad", [1], {}, {**PLAN, "programmes": ["none"]}, {**PLAN, "teams": [STRANGERS]},
     PLAN, {**FRESH, "programmes": ["campus-perimeter"] * 2}, {**FRESH, "teams": FRESH["teams"] * 2}],
)  # fmt: skip
def test_a_plan_that_cannot_be_followed_opens_nothing(inside: Flask, tmp_path: Path, plan: Any) -> None:
    code, _, err = run(sweep, "open", "s9", write(tmp_path / "plan.json", plan))
    assert code == 1
    assert err.startswith(("invalid", "refused"))
    with snapshot() as session:
        assert sweeps.get(session, SYSTEM, "s9") is None


def test_every_school_of_the_teams_district_has_one_task_and_no_team_is_idle(inside: Flask) -> None:
    with snapshot() as session:
        schools = {
            s.id for s in territory.sites_of_kinds(session, SYSTEM, ["school"]) if s.district_id == "370303"
        }
        tasks = [task for team in ("t1", "t2") for task in sweeps.tasks(session, SYSTEM, team)]
        assert sorted(task.site_id for task in tasks) == sorted(schools)
        assert {task.team_id for task in tasks} == {"t1", "t2"}


def test_a_pack_with_other_content_under_an_installed_version_is_refused(
    inside: Flask, tmp_path: Path
) -> None:
    body = yaml.safe_load(shipped_packs()[0].read_text(encoding="utf-8"))
    body["name"]["zh"] += "（改）"
    path = write(tmp_path / "other.yaml", yaml.safe_dump(body, allow_unicode=True))
    code, _, err = run(pack, "install", path)
    assert code == 1
    assert "raise its version" in err


def test_a_faulty_pack_is_named_by_file_and_line(inside: Flask, tmp_path: Path) -> None:
    text = shipped_packs()[0].read_text(encoding="utf-8").replace("grade: general", "grade: dreadful", 1)
    path = write(tmp_path / "faulty.yaml", text)
    for words in (["check", path, "--json"], ["install", path, "--json"]):
        code, out, _ = run(pack, *words)
        found = json.loads(out)["problems"][0]
        assert (code, found["file"]) == (1, "faulty.yaml")
        assert "dreadful" in text.splitlines()[found["line"] - 1]


def test_a_token_and_a_code_are_kept_as_hashes_only_and_a_code_serves_once(inside: Flask) -> None:
    with transaction() as session:
        code = tokens.make_code(session, "u-ins1", NOW)
        device_id, token, person = tokens.redeem(session, code.lower(), "phone-1", "test", NOW)
        assert (len(code), person.id, token[:7]) == (10, "u-ins1", "hy_dev_")
    assert set(code) <= set(tokens.CODE_LETTERS)
    with transaction() as session, pytest.raises(Problem, match="code_unknown"):
        tokens.redeem(session, code, "phone-2", "test", NOW)
    with snapshot() as session:
        kept = session.execute(select(Device.__table__).where(Device.id == device_id)).one()
        codes = session.execute(select(EnrolCode.__table__)).all()
        assert accounts.device_of_token(session, token).id == "u-ins1"
    assert token not in map(str, kept)
    assert code not in str(codes)


def test_a_code_that_is_too_old_enrols_nobody(inside: Flask) -> None:
    with transaction() as session:
        code = tokens.make_code(session, "u-ins1", NOW)
    late = NOW + timedelta(hours=tokens.CODE_LIFE_H)
    with transaction() as session, pytest.raises(Problem, match="code_unknown"):
        tokens.redeem(session, code, "phone-3", "test", late)


def test_a_revoked_device_is_told_so(inside: Flask) -> None:
    with transaction() as session:
        code = tokens.make_code(session, "u-ins1", NOW)
        device_id, token, _ = tokens.redeem(session, code, "phone-4", "test", NOW)
    assert run(device, "revoke", device_id)[0] == 0
    with snapshot() as session, pytest.raises(Problem, match="device_revoked"):
        accounts.device_of_token(session, token)


def test_only_the_right_password_signs_in_and_it_is_kept_as_argon2(inside: Flask) -> None:
    with snapshot() as session:
        assert tokens.check_password(session, "ins1", PASSWORD) is not None
        assert tokens.check_password(session, "ins1", PASSWORD + " ") is None
        assert tokens.check_password(session, "nobody", "nobody has this password") is None
        kept = session.scalars(select(User.password_hash)).all()
    assert [text[:10] for text in kept if text] == ["$argon2id$"]


def test_a_web_session_ends_when_signed_out_and_when_its_time_is_over(inside: Flask) -> None:
    with transaction() as session:
        cookie, csrf = tokens.open_session(session, "u-ins1", NOW)
    with snapshot() as session:
        found = accounts.user_of_cookie(session, cookie, NOW)
        late = accounts.user_of_cookie(session, cookie, NOW + timedelta(hours=tokens.SESSION_LIFE_H))
        assert found is not None and (found[0].id, found[1]) == ("u-ins1", csrf)
        assert late is None
    with transaction() as session:
        tokens.close_session(session, cookie)
    with snapshot() as session:
        assert accounts.user_of_cookie(session, cookie, NOW) is None
