"""POST /sync/v1/enrol: a code makes one device, however often its answer is lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from backend.accounts import tokens
from backend.accounts.models import Device, EnrolCode, User
from backend.now import now_utc
from backend.sync.models import Replica
from tests import make
from tests.cast import CAST, World, told


def enrol(world: World, code: str, install: str, **more: object) -> object:
    return world.anonymous().post("/sync/v1/enrol", json={"code": code, "install_id": install, **more})


def is_known(world: World, token: str) -> bool:
    answer = world.anonymous().get("/sync/v1/attention", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code == 200


@pytest.mark.answers("sync.enrol", 201)
def test_a_code_makes_a_device_of_its_person(world: World) -> None:
    answer = enrol(world, world.code("inspector_a"), make.new_id(), app="huyuan 0.1", proto=1)
    assert answer.json["user"] == {"id": "u-inspector_a", "name": CAST["inspector_a"].name}
    assert (answer.json["next_seq"], answer.json["head"]) == (1, "0" * 64)
    (device,) = world.look(
        select(Device.user_id, Device.app, Device.token_hash).where(Device.id == answer.json["device"])
    )
    assert (device.user_id, device.app) == ("u-inspector_a", "huyuan 0.1")
    assert answer.json["token"] not in device.token_hash, "kept as a hash alone"


def test_a_code_is_read_whatever_its_case_and_the_space_around_it(world: World) -> None:
    assert enrol(world, f" {world.code('inspector_a').lower()} ", make.new_id()).status_code == 201


def test_an_answer_that_was_lost_is_told_again_with_a_fresh_token_and_no_second_device(world: World) -> None:
    code, install = world.code("inspector_a"), make.new_id()
    first, second = (enrol(world, code, install) for _ in range(2))
    same = ("device", "user", "replica", "epoch", "next_seq", "head")
    assert {k: first.json[k] for k in same} == {k: second.json[k] for k in same}
    assert first.json["token"] != second.json["token"]
    assert len(world.look(select(Device.id).where(Device.install_id == install))) == 1
    assert len(world.look(select(Replica.id).where(Replica.install_id == install))) == 1
    assert is_known(world, first.json["token"]), (
        "the doubled request may have been the one that was not heard of"
    )
    assert is_known(world, second.json["token"])
    assert not is_known(world, first.json["token"]), "it ends when the fresh one is used"


def test_told_again_it_says_where_the_replica_stands_by_now(world: World) -> None:
    code, install = world.code("inspector_a"), make.new_id()
    told_first = enrol(world, code, install).json
    phone = world.phone("inspector_a")
    phone.token, phone.replica = told_first["token"], told_first["replica"]
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site()))
    again = enrol(world, code, install).json
    assert (again["replica"], again["next_seq"], again["head"]) == (phone.replica, 2, phone.head)


def test_many_at_once_make_one_device(world: World) -> None:
    code, install = world.code("inspector_a"), make.new_id()
    with ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(lambda _: enrol(world, code, install), range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["device"] for answer in answers}) == 1
    assert world.look(select(func.count()).select_from(Device).where(Device.install_id == install)) == [(1,)]


@pytest.mark.answers("sync.enrol", 404)
def test_a_used_code_is_unknown_to_any_other_installation(world: World) -> None:
    code = world.code("inspector_a")
    assert enrol(world, code, make.new_id()).status_code == 201
    assert told(enrol(world, code, make.new_id())) == (404, "code_unknown")
    assert told(enrol(world, "NEVERMADE1", make.new_id())) == (404, "code_unknown")


def test_a_code_whose_life_is_over_is_unknown_also_to_its_own_installation(world: World) -> None:
    code, install = world.code("inspector_a"), make.new_id()
    assert enrol(world, code, install).status_code == 201
    over = now_utc() - timedelta(seconds=1)
    world.change(update(EnrolCode).where(EnrolCode.code_hash == tokens.digest(code)).values(expires_at=over))
    assert told(enrol(world, code, install)) == (404, "code_unknown")


def test_a_phone_that_was_reported_lost_is_not_revived_by_its_code(world: World) -> None:
    code, install = world.code("inspector_a"), make.new_id()
    device = enrol(world, code, install).json["device"]
    world.change(update(Device).where(Device.id == device).values(is_revoked=True))
    assert told(enrol(world, code, install)) == (404, "code_unknown")


def test_somebody_who_has_left_enrols_nothing(world: World) -> None:
    code = world.code("expert")
    world.change(update(User).where(User.id == "u-expert").values(is_active=False))
    assert told(enrol(world, code, make.new_id())) == (404, "code_unknown")
    world.change(update(User).where(User.id == "u-expert").values(is_active=True))
    assert enrol(world, code, make.new_id()).status_code == 201, "the refusal did not use the code up"


@pytest.mark.parametrize("wrong", [{"code": ""}, {"code": "X" * 41}, {"code": 5}, {"install_id": None}, {"install_id": "i" * 81},
                                   {"app": ["huyuan"]}, {"proto": "1"}, {"proto": True}])  # fmt: skip
@pytest.mark.answers("sync.enrol", 422)
def test_a_member_of_the_wrong_kind_is_named(world: World, wrong: dict[str, object]) -> None:
    answer = world.anonymous().post("/sync/v1/enrol", json={"code": "X", "install_id": "i", **wrong})
    assert [fault["pointer"].split("/")[1] for fault in answer.json["errors"]] == list(wrong)


def test_a_member_that_nobody_knows_is_ignored(world: World) -> None:
    assert enrol(world, world.code("inspector_a"), make.new_id(), colour="green").status_code == 201
