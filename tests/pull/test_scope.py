"""What a device may see changes while it is away or in the middle of a page: nothing stays that it may not see, nothing
lacks that it may (I8, I9, I21, P15, P16)."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from backend.access.scope import SYSTEM
from backend.accounts.models import User
from backend.cli.pack import install_packs
from backend.ops.apply import submit
from sync_protocol.client.session import FieldClient
from tests.pull.ground import CITY, Ground, held, settle

HERE, THERE = "district:1a", "district:1b"


@pytest.fixture(scope="module")
def peopled(town: Ground) -> Ground:
    town.load({f"s{n:03}": (("1a", "1b")[n % 2], "小学（示例）") for n in range(30)})
    for login in ("ann", "bob", "eve"):
        town.person(login, f"{CITY}/1a")
    return town


def phone_of(town: Ground, login: str, home: Path) -> FieldClient:
    phone = town.phone(login, home)
    settle(phone, limit=7)
    return phone


def test_i9_what_moves_out_of_sight_goes_and_what_moves_into_it_comes(peopled: Ground, home: Path) -> None:
    phone = phone_of(peopled, "ann", home)
    peopled.load({"s000": ("1b", "小学（示例）"), "s001": ("1a", "小学（示例）")})
    settle(phone, limit=1)
    assert held(phone, "site") == peopled.truth({HERE})
    assert "site:s000" not in held(phone, "site") and "site:s001" in held(phone, "site")
    peopled.load({"s000": ("1a", "小学（示例）"), "s001": ("1b", "小学（示例）")})
    phone.close()


def test_i9_what_moves_within_sight_stays_and_is_seen_once(peopled: Ground, home: Path) -> None:
    peopled.areas_of("u-bob", "1a", "1b")
    phone = phone_of(peopled, "bob", home)
    peopled.load({"s002": ("1b", "小学（示例）")})
    settle(phone, limit=1)
    assert phone.store.state("memb")["memb"]["site:s002"] == [THERE]
    assert held(phone, "site") == peopled.truth({HERE, THERE})
    peopled.load({"s002": ("1a", "小学（示例）")})
    peopled.areas_of("u-bob", "1a")
    phone.close()


@pytest.mark.parametrize("limit", [1, 4, 500])
def test_i8_a_bucket_gained_in_the_middle_of_a_page_is_filled_and_one_lost_is_emptied(
    peopled: Ground, home: Path, limit: int
) -> None:
    phone = peopled.phone("eve", home)
    for districts in (("1a",), ("1a", "1b"), ("1b",), ("1c",), ("1b", "1a")):
        peopled.areas_of("u-eve", *districts)
        phone.pull(limit)
        phone.pull(limit)
    settle(phone, limit=limit)
    assert held(phone, "site") == peopled.truth({HERE, THERE})
    peopled.areas_of("u-eve", "1b")
    settle(phone, limit=limit)
    assert held(phone, "site") == peopled.truth({THERE})
    peopled.areas_of("u-eve", "1a")
    phone.close()


def test_p16_a_bucket_lost_after_its_bundle_was_taken_leaves_nothing(peopled: Ground, home: Path) -> None:
    peopled.load({f"big{n:03}": ("1c", "小学（示例）") for n in range(40)})
    peopled.areas_of("u-eve", "1c")
    phone = peopled.phone("eve", home)
    phone.pull()
    while phone.store.state("offers")["offers"]:
        phone.pull()
    assert len(held(phone, "site")) == 40 and phone.store.state("taken")["taken"]
    peopled.areas_of("u-eve", "1a")
    settle(phone)
    assert held(phone, "site") == peopled.truth({HERE})
    phone.close()


def test_a_team_that_is_gained_brings_its_tasks_and_one_that_is_left_takes_them(peopled: Ground, home: Path) -> None:
    with peopled.app.app_context():
        install_packs()
        team = {"id": "t1", "name": "一组（示例）", "areas": ["1b"], "members": []}
        submit("sweep.open", {"title": "演练", "programmes": ["campus-perimeter"], "teams": [team]}, SYSTEM, ent=("sweep", "w1"))
    phone = phone_of(peopled, "ann", home)
    assert held(phone, "task", "team") == {}
    change(peopled, members=["u-ann"])
    settle(phone, limit=60)
    assert held(phone, "task", "team", "site") == peopled.truth({HERE, THERE, "team:t1"})
    assert any(key.startswith("task:") for key in held(phone, "task"))
    change(peopled, members=[])
    settle(phone, limit=60)
    assert held(phone, "task", "team", "site") == peopled.truth({HERE})
    phone.close()


def change(town: Ground, **args: Any) -> None:
    with town.app.app_context():
        submit("team.change", args, SYSTEM, ent=("team", "t1"))


def test_p34_a_person_who_has_left_loses_all_rows_and_no_op(peopled: Ground, home: Path) -> None:
    peopled.person("zoe", f"{CITY}/1a")
    phone = phone_of(peopled, "zoe", home)
    ops = [phone.record("inspection.submit", ("inspection", f"i-{n:08}"), {"n": n}) for n in range(200)]
    peopled.alter(update(User).where(User.id == "u-zoe").values(is_active=False))
    settle(phone)
    assert (phone.store.state("base")["base"], phone.store.state("memb")["memb"]) == ({}, {})
    assert [kept["op"] for kept in phone.store.state("outbox")["outbox"]] == ops
    while not phone.push(100).is_empty:
        continue
    kept = phone.store.state("acked")["acked"]
    assert [k["op"] for k in kept] == ops and {k["status"] for k in kept} == {"parked"}
    phone.close()
