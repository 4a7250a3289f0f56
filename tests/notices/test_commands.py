"""`python -m backend notice …` and what `doctor` says of what goes out."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert

from backend.cli import notice as commands
from backend.cli.main import main
from backend.cli.setup import examine
from backend.config import Mail
from backend.notices.models import Outgoing
from backend.now import now_utc
from tests.cast import World
from tests.notices.postbox import Postbox, postbox


@pytest.fixture
def box(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    """Commands run in this world's app."""
    monkeypatch.setattr("backend.app.create_app", lambda: world.app)
    with postbox() as made:
        world.app.extensions["config"] = replace(world.app.extensions["config"], mail=Mail("huyuan@example.org", "127.0.0.1", made.port, "off"))
        yield made


def run(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(main, ["notice", *words, "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout.startswith("{") else done.stderr


def test_a_mail_to_try_says_what_the_server_answered(box: Postbox) -> None:
    assert run("test-mail", "city")[0] == 1, "no address yet"
    assert run("address", "city", "city@example.org") == (0, {"login": "city", "is_written_to": True})
    assert run("test-mail", "city") == (0, {"sent": True, "status": None, "error": ""}) and len(box.taken) == 1
    box.says = {"RCPT": "550 nobody"}
    assert run("test-mail", "city") == (1, {"sent": False, "status": 550, "error": "refused with 550"})
    assert run("address", "city")[0] == 0 and run("test-mail", "city")[0] == 1
    assert run("address", "nobody", "a@example.org")[0] == 1 and run("address", "city", "not an address")[0] == 1


def test_dead_letters_are_listed_counted_and_sent_again(world: World, box: Postbox) -> None:
    now = now_utc()
    row = {"channel": "mail", "target": "u-city", "kind": "digest", "data": {"day": "2026-11-24"}, "created_at": now - timedelta(hours=2), "run_at": now}
    states = {"state": "dead", "ended_at": now, "attempts": 14, "last_error": "x"}
    world.change(insert(Outgoing).values({**row, "id": "d1", **states}), insert(Outgoing).values({**row, "id": "w1", "state": "waiting", "attempts": 0}))
    code, told = run("dead")
    assert code == 0 and [d["id"] for d in told["dead"]] == ["d1"] and told["mail"]["waiting"] == 1
    with world.app.app_context():
        standing = examine()["outgoing"]["mail"]
    assert standing["dead"] == 1 and 7200 <= standing["oldest_s"] < 7300
    assert run("redeliver", "d1")[0] == 0 and run("redeliver", "d1")[0] == 1
    assert run("dead")[1]["dead"] == [] and commands.notice.name == "notice"
