"""POST /sync/v1/replicas: a replica again, after a fork or a restore; idempotent by installation and nonce (P9)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.sync.models import Replica
from tests import make
from tests.cast import World, told


@pytest.mark.answers("sync.replicas", 201)
def test_the_same_installation_and_nonce_give_the_same_replica(world: World) -> None:
    phone, nonce = world.phone("inspector_a"), make.new_id()
    first, again = (phone.post("/sync/v1/replicas", {"install_id": phone.install, "nonce": nonce}) for _ in range(2))
    assert first.status_code == 201 and first.json == again.json
    assert first.json["replica"] != phone.replica and (first.json["next_seq"], first.json["head"]) == (1, "0" * 64)
    other = phone.post("/sync/v1/replicas", {"install_id": phone.install, "nonce": make.new_id()})
    assert other.json["replica"] != first.json["replica"]


def test_sent_again_later_it_says_where_the_replica_stands(world: World) -> None:
    phone, nonce = world.phone("inspector_a"), make.new_id()
    phone.replica = phone.post("/sync/v1/replicas", {"install_id": phone.install, "nonce": nonce}).json["replica"]
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site()))
    again = phone.post("/sync/v1/replicas", {"install_id": phone.install, "nonce": nonce}).json
    assert (again["replica"], again["next_seq"], again["head"]) == (phone.replica, 2, phone.head)


def test_two_people_at_one_phone_have_replicas_of_their_own(world: World) -> None:
    """L6."""
    install, nonce = make.new_id(), make.new_id()
    one, other = (world.phone(login, install) for login in ("inspector_a", "inspector_b"))
    made = [phone.post("/sync/v1/replicas", {"install_id": install, "nonce": nonce}) for phone in (one, other)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json["replica"] != made[1].json["replica"]


def test_sent_many_times_at_once_it_makes_one_replica(world: World) -> None:
    phone, nonce = world.phone("inspector_a"), make.new_id()
    body = {"install_id": phone.install, "nonce": nonce}

    def insist(_: int) -> Any:
        """A machine that stands still for longer than a lock is waited for may say 503: whoever is told so comes again (P86)."""
        answer = phone.post("/sync/v1/replicas", body)
        return answer if answer.status_code != 503 else phone.post("/sync/v1/replicas", body)

    with ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(insist, range(6)))
    assert {(a.status_code, a.json.get("replica")) for a in answers} == {(201, answers[0].json.get("replica"))}
    assert world.look(select(func.count()).select_from(Replica).where(Replica.nonce == nonce)) == [(1,)]


@pytest.mark.parametrize("wrong", [{"nonce": ""}, {"nonce": 5}, {"nonce": "n" * 81}, {"install_id": None}, {"install_id": ["x"]}])
@pytest.mark.answers("sync.replicas", 422)
def test_a_member_of_the_wrong_kind_is_named(world: World, wrong: dict[str, Any]) -> None:
    phone = world.any_phone("inspector_a")
    answer = phone.post("/sync/v1/replicas", {"install_id": phone.install, "nonce": "x"} | wrong)
    assert told(answer) == (422, "invalid") and answer.json["errors"][0]["pointer"].startswith(f"/{next(iter(wrong))}")
