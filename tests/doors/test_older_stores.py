"""A phone that is updated in the field: its store of an older layout opens, loses nothing and syncs; one of a newer program
is left as it is (L1 of sync.md §4.3). `stores/` keeps the older layouts as their programs wrote them. Real server."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync_protocol.client import layouts
from sync_protocol.client.__main__ import main
from sync_protocol.client.layouts import LAYOUT, STEPS, NewerStore
from sync_protocol.client.session import FieldClient
from sync_protocol.identity import GENESIS, chain_head, fingerprint
from tests.faults.phones import Photographer, Pusher, sites
from tests.faults.rig import Place, Server, Template

KEPT = Path(__file__).parent / "stores"
NOWHERE = "http://127.0.0.1:9"
STRANGER = {"token": "t", "replica": "r-kept", "epoch": "e-kept", "site": "s-1", "sha": "5" * 64, "size": "1000", "url": "",
            "clock": "7"}  # fmt: skip


@pytest.fixture(scope="module")
def running(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    place = sqlite_template.copy(tmp_path_factory.mktemp("older") / "place")
    server = Server(place)
    server.start()
    yield place, server
    server.end()


def lay_out(home: Path, layout: int, facts: dict[str, str]) -> Path:
    """A store of that layout in `home`; the chain of its three ops is made for the replica it is told."""
    text = (KEPT / f"layout_{layout}.sql").read_text(encoding="utf-8")
    for name, value in {"n": str(layout), **facts}.items():
        text = text.replace(f"@{name}@", value)
    home.mkdir(parents=True)
    line = sqlite3.connect(home / "device.db")
    line.executescript(text)
    head = GENESIS
    for n, kept in enumerate((*members(line)["acked"], *members(line)["outbox"])):
        _replace(line, f"@head{n}@", head)
        head = chain_head(head, facts["replica"], n + 1, fingerprint(kept["body"]))
    _replace(line, "@head3@", head)
    line.close()
    return home


def _replace(line: sqlite3.Connection, old: str, new: str) -> None:
    line.execute("UPDATE state SET v = CAST(replace(CAST(v AS TEXT), ?, ?) AS BLOB)", (old, new))
    line.commit()


def members(line: sqlite3.Connection) -> dict[str, Any]:
    """The state, whichever way it is laid out."""
    state = {k: json.loads(v) for k, v in line.execute("SELECT k, v FROM state")}
    return state["replica"] if isinstance(state["replica"], dict) else state


def everything(home: Path) -> tuple[Any, ...]:
    """Number, tables and rows of a store."""
    line = sqlite3.connect(home / "device.db")
    found = (line.execute("PRAGMA user_version").fetchone(), *line.iterdump())
    line.close()
    return found


@pytest.mark.parametrize("layout", [1, 2])
def test_a_store_of_an_older_layout_opens_loses_nothing_and_syncs(
    running: tuple[Place, Server], tmp_path: Path, layout: int
) -> None:
    place, server = running
    pusher = Pusher.enrol(place, server, 1, layout)
    photo = Photographer(pusher.token, f"layout{layout}")
    facts = {"token": pusher.token, "replica": pusher.replica, "epoch": pusher.epoch, "site": sites(place)[layout],
             "sha": photo.sha, "size": str(len(photo.data)), "clock": "0"}  # fmt: skip
    url, half = photo.create(server.ask), len(photo.data) // 2
    assert photo.patch(server.ask, url, 0, photo.data[:half])[0] == 204
    draft = sqlite3.connect(lay_out(tmp_path / "draft", layout, {**facts, "url": url}) / "device.db")
    held = members(draft)
    ops = [(kept["op"], kept["body"]) for kept in (*held["acked"], *held["outbox"])]
    draft.close()
    for n, (_, body) in enumerate(ops[:2]):  # the answer to the second is lost
        told = pusher.insist(pusher.request([{"seq": n + 1, "prev": pusher.head, "body": body}]))
        pusher.head = chain_head(pusher.head, pusher.replica, n + 1, fingerprint(body))
        facts["clock"] = str(told["results"][0]["clock"]) if n == 0 else facts["clock"]
    home = lay_out(tmp_path / "phone", layout, {**facts, "url": url})
    (home / "photos").mkdir()
    (home / "photos" / photo.sha).write_bytes(photo.data)

    phone = FieldClient(home, server.url)
    state = phone.store.state()
    assert [(k["op"], k["body"]) for k in (*state["acked"], *state["outbox"])] == ops
    assert [k["seq"] for k in state["outbox"]] == [2, 3] and (state["next_seq"], state["replica"]) == (4, pusher.replica)
    assert set(phone.pending("finding")) == {k["ent"].split(":")[1] for k in (*state["acked"], *state["outbox"])}
    assert phone.store.waiting() == [(photo.sha, len(photo.data), "image/jpeg", url)]
    assert phone.sync(tries=4), phone.last_trouble

    state = phone.store.state()
    assert state["outbox"] == [] and state["replica"] == pusher.replica, "no fork: the numbers are the ones of then"
    assert phone.sent["dups"] == 1 and phone.sent["bytes"] == len(photo.data) - half
    assert phone.store.waiting() == [] and "site:s-gone" not in state["base"] and len(state["base"]) > 50
    _, answer = server.json("POST", "/sync/v1/ops/status", {"op_ids": [op for op, _ in ops]}, pusher.token)
    assert [op["status"] for op in answer["ops"]] == ["applied"] * 3
    later = phone.record("thing.unheard", ("thing", "t-later"), {"note": "更新之后（示例）"})
    assert phone.sync(tries=4) and later in {k["op"] for k in phone.store.state("acked")["acked"]}
    phone.close()


@pytest.mark.parametrize("layout", [1, 2])
@pytest.mark.parametrize("at", range(len(STEPS) + 1))
def test_a_phone_that_dies_while_it_is_brought_up_to_date_has_its_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: int, at: int
) -> None:
    def die(line: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    home = lay_out(tmp_path / "phone", layout, STRANGER)
    before = everything(home)
    with monkeypatch.context() as dying:
        dying.setattr(layouts, "STEPS", (*STEPS[:at], die, *STEPS[at:]))
        with pytest.raises(KeyboardInterrupt):
            FieldClient(home, NOWHERE)
    assert everything(home) == before
    phone = FieldClient(home, NOWHERE)
    assert len(phone.store.state("outbox")["outbox"]) == 2
    phone.close()
    assert everything(home)[0] == (LAYOUT,)


def test_a_store_of_the_time_before_numbers_that_wants_nothing_keeps_everything(tmp_path: Path) -> None:
    phone = FieldClient(lay_out(tmp_path / "phone", 2, STRANGER), NOWHERE)
    phone.record("thing.unheard", ("thing", "t"), {})
    with phone.store.change("cursor", "offers") as state:
        state.update(cursor="c-1", offers=[{"id": "b-1"}])
    phone.close()
    up_to_date = everything(tmp_path / "phone")
    line = sqlite3.connect(tmp_path / "phone" / "device.db")
    line.execute("PRAGMA user_version = 0")
    line.close()
    FieldClient(tmp_path / "phone", NOWHERE).close()
    assert everything(tmp_path / "phone") == up_to_date


def test_a_store_that_is_up_to_date_is_opened_without_a_turn_at_writing(tmp_path: Path) -> None:
    FieldClient(lay_out(tmp_path / "phone", 2, STRANGER), NOWHERE).close()
    other = sqlite3.connect(tmp_path / "phone" / "device.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    phone = FieldClient(tmp_path / "phone", NOWHERE)
    assert len(phone.store.state("outbox")["outbox"]) == 2
    phone.close()
    other.execute("ROLLBACK")
    other.close()


def test_a_store_of_a_newer_program_is_refused_and_not_a_byte_of_it_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = lay_out(tmp_path / "phone", 2, STRANGER)
    FieldClient(home, NOWHERE).close()
    newer = sqlite3.connect(home / "device.db", isolation_level=None)
    newer.execute("PRAGMA wal_autocheckpoint = 0")
    newer.execute(f"PRAGMA user_version = {LAYOUT + 1}")  # it is in the log only, as after a loss of power
    files = {name: (home / name).read_bytes() for name in ("device.db", "device.db-wal")}
    assert files["device.db-wal"]
    with pytest.raises(NewerStore, match=f"is of layout {LAYOUT + 1}, this program knows layouts up to {LAYOUT}"):
        FieldClient(home, NOWHERE)
    assert main(["--home", str(home), "--url", NOWHERE, "status"]) == 1
    assert "install the newer program again" in capsys.readouterr().err
    assert {name: (home / name).read_bytes() for name in files} == files
    newer.close()
