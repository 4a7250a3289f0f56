"""The reference client as the process that people run, several of them, through the chaos proxy to a real server:
they converge, whatever the line does (F10, F12, T1–T3 from the outside; I1, I2, I3)."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from backend.database import snapshot
from backend.ops.custody import known_outcomes
from tests.faults.audit import faults_of, words_of
from tests.faults.conftest import POSTGRES_IN_FULL
from tests.faults.phones import CliPhone, op_body, sites
from tests.faults.proxy import Dice, Fault, Proxy, Script
from tests.faults.rig import Place, serving
from tests.journeys.stage import PHOTOS

RATES = {
    "lose_request": 0.05, "lose_answer": 0.08, "double": 0.06, "late_copy": 0.08, "delay": 0.05, "swap": 0.05,
    "cut_request": 0.04, "cut_answer": 0.06, "half_close_request": 0.03, "half_close_answer": 0.03, "reset_request": 0.03, "reset": 0.04,
    "portal": 0.04, "black_hole": 0.01,
}  # fmt: skip


def record(phone: CliPhone, schools: list[str], count: int, dice: Random) -> set[str]:
    """`count` checklists, offline, through the library into the home of the process; returns their op ids."""
    client = phone.library()
    try:
        ops = set()
        for _ in range(count):
            body = json.loads(op_body(f"u-f{phone.person}", f"tf{phone.person}", dice.choice(schools), dice))
            ops.add(client.record(body["verb"], ("inspection", body["ent"]["id"]), body["args"]))
        return ops
    finally:
        client.close()


def rows(phone: CliPhone) -> dict[str, Any]:
    """What the device holds of the districts, and the versions of it."""
    client = phone.library()
    state = client.store.state("base", "memb", "outbox")
    client.close()
    assert state["outbox"] == []
    shared = [key for key, held in state["memb"].items() if any(b.startswith("district:") for b in held)]
    return {key: (state["base"][key]["ver"], state["base"][key]["data"]) for key in sorted(shared)}


def play(place: Place, tmp_path: Path, devices: int, rounds: int, seed: int) -> None:
    """Enrol over the good line; record and sync over the bad one, turn about; heal; everything is everywhere once."""
    dice, ops = Random(f"{seed}"), set[str]()
    with serving(place) as server, Proxy(server.port, hole_s=3) as proxy:
        phones = [CliPhone(tmp_path / f"phone{n}", proxy.url, n) for n in range(1, devices + 1)]
        for phone in phones:
            assert phone.run("enrol", place.code(phone.person)).returncode == 0, phone.said
        proxy.choose, schools = Dice(seed, RATES), sites(place)
        for _ in range(rounds):
            for phone in phones:
                ops |= record(phone, schools, dice.randrange(3, 9), dice)
                assert phone.run("sync").returncode in (0, 3), phone.said
        assert sum(proxy.counts[kind] for kind in RATES) >= 5 * devices * rounds / 3, proxy.counts
        proxy.choose = Script([])
        for phone in phones + phones:
            assert phone.sync(), phone.said
        views = [rows(phone) for phone in phones]
        fresh = CliPhone(tmp_path / "fresh", server.url, devices)
        assert fresh.run("enrol", place.code(devices)).returncode == 0 and fresh.sync(), fresh.said
        assert rows(fresh) == views[0] and all(view == views[0] for view in views)
        assert words_of(server) == []
    acks = dict.fromkeys(ops)
    assert faults_of(place, stored(place, acks)) == []


def stored(place: Place, ops: dict[str, Any]) -> dict[str, Any]:
    """Every op that the devices hold to be acknowledged, with what the log must say of it at least: applied."""
    with place.app(), snapshot() as session:
        known = known_outcomes(session, list(ops))
    assert {op: known[op][1].status for op in ops} == dict.fromkeys(ops, "applied")
    return {op: {"status": outcome.status, "clock": outcome.clock} for op, (_, outcome) in known.items()}


@POSTGRES_IN_FULL
def test_three_devices_as_processes_converge_over_a_line_that_does_everything_wrong(
    place: Place, tmp_path: Path
) -> None:
    play(place, tmp_path, devices=3, rounds=2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_eight_devices_as_processes_converge_over_a_bad_line(place: Place, tmp_path: Path, seed: int) -> None:
    play(place, tmp_path, devices=8, rounds=4, seed=seed)


def test_recording_photos_and_looking_at_them_by_commands_alone(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    place = place_of("sqlite")
    script = Script([Fault("lose_answer"), Fault("cut_request", 0.5), Fault("half_close_request", -5)], "/push")
    with serving(place) as server, Proxy(server.port) as proxy:
        phone = CliPhone(tmp_path / "phone", proxy.url, 1)
        assert phone.run("enrol", place.code(1)).returncode == 0 and phone.run("pull").returncode == 0, phone.said
        args = json.loads(op_body("u-f1", "tf1", sites(place)[0], Random(1)))["args"]
        photo = PHOTOS / "zibo_linzi_ok.jpg"
        proxy.choose = script
        done = phone.run("record", "inspection.submit", f"inspection:{uuid.uuid4()}", json.dumps(args), str(photo))
        assert done.returncode == 0, phone.said
        assert phone.sync(), phone.said
        status = json.loads(phone.run("status").stdout)
        assert (status["outbox"], status["photos_waiting"], status["parked"]) == (0, 0, [])
        assert json.loads(phone.run("view", "inspection").stdout) and script.left == 0
