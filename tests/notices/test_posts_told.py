"""A post that goes over is told: to who has it now, to who had it, and to the office above where nobody answers any more."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from backend.accounts.models import Absence, Holding, Post, User
from backend.notices import fanout, rules
from backend.notices.models import Notice, NoticeFact
from backend.now import now_utc
from backend.ops import terms
from backend.workdays import local_date
from tests import make
from tests.cast import A, World

# Nothing here differs between the databases but what they are asked; on PostgreSQL in `make test-full`.
pytestmark = pytest.mark.parametrize("world", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True)
DISTRICT = "district-370303"
TODAY = local_date(now_utc())


def do(world: World, verb: str, post: str = DISTRICT, **args: Any) -> None:
    op = {"verb": f"post.{verb}", "ent": {"t": "post", "id": post}, "args": args}
    answer = world.desk("admin").post("/v1/ops", json=op)
    assert answer.status_code == 200, answer.text


def told(world: World) -> set[tuple[str, str]]:
    """(who, kind) of what was told of posts since the last look."""
    with world.app.app_context():
        fanout.deliver(now_utc())
    found = {(row.user_id, row.kind) for row in world.look(Notice.__table__.select().where(Notice.ent_type == "post"))}
    world.change(delete(Notice))
    return found


@pytest.fixture(autouse=True)
def raised(world: World) -> Any:
    """An open problem of district A, whose post is held from long ago by somebody without an account."""
    world.change(
        Holding.__table__.delete().where(Holding.post_id == DISTRICT), Absence.__table__.delete(),
        Holding.__table__.insert().values(post_id=DISTRICT, person="老负责人（示例）", from_on=date(2020, 1, 1)),
    )  # fmt: skip
    made = make.problem(world, world.any_phone("inspector_a"), world.site())
    with world.app.app_context():
        terms.settle(now_utc())
        fanout.deliver(now_utc())
    world.change(delete(Notice), delete(NoticeFact))
    return made


def test_the_office_of_the_post_is_told_what_came_to_it_and_no_other(world: World) -> None:
    do(world, "hold", person="新负责人（示例）", from_on=TODAY.isoformat())
    with world.app.app_context():
        fanout.deliver(now_utc())
    lines = world.desk("zhangdian").get("/v1/inbox").json["notices"]
    (line,) = [each for each in lines if each["kind"] == "post.taken"]
    assert "岗位交接到您处" in line["text"]["zh"] and "/" in line["data"]["title"] and "新负责人" not in str(line)
    assert told(world) == {("u-zhangdian", "post.taken"), *whoever_else(world, "post.taken")}


def whoever_else(world: World, kind: str) -> set[tuple[str, str]]:
    """Accounts of the samples that are of the same office."""
    users = world.look(User.__table__.select())
    return {(u.id, kind) for u in users if u.role == "district" and u.areas == [f"370300/{A}"] and u.id != "u-zhangdian"}


def test_named_accounts_are_told_and_nobody_else_of_their_office(world: World) -> None:
    do(world, "hold", person="甲（示例）", from_on=TODAY.isoformat(), user_id="u-zhangdian")
    assert told(world) == {("u-zhangdian", "post.taken")}
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    world.change(Holding.__table__.update().where(Holding.person == "甲（示例）").values(from_on=date.fromisoformat(yesterday)),
                 Holding.__table__.update().where(Holding.person == "老负责人（示例）").values(to_on=TODAY - timedelta(days=2)))  # fmt: skip
    do(world, "hold", person="乙（示例）", from_on=TODAY.isoformat(), user_id="u-city")
    assert told(world) == {("u-zhangdian", "post.left"), ("u-city", "post.taken")}


def test_a_vacancy_is_told_to_the_office_above_and_twice_is_once(world: World) -> None:
    do(world, "leave", to_on=(TODAY - timedelta(days=1)).isoformat())
    with world.app.app_context():
        terms.settle(now_utc())
    found = told(world)
    assert ("u-city", "post.vacant") in found and {kind for _, kind in found} == {"post.vacant"}
    assert not any(who in ("u-zhangdian", "u-zichuan", "u-education") for who, _ in found)
    with world.app.app_context():
        terms.settle(now_utc())
    assert told(world) == set()


def test_a_deputy_is_told_to_the_office_of_the_post(world: World) -> None:
    do(world, "away", deputy="代理人（示例）", from_on=TODAY.isoformat(), to_on=(TODAY + timedelta(days=3)).isoformat())
    found = told(world)
    assert ("u-zhangdian", "post.deputed") in found and ("u-city", "post.deputed") not in found and ("u-zichuan", "post.deputed") not in found


@given(st.lists(st.from_regex(r"[0-9]{6}", fullmatch=True), min_size=1, max_size=4), st.sampled_from([None, "education"]))
def test_the_office_above_sees_the_post(world: World, parts: list[str], department: str | None) -> None:
    path = "/".join(parts)
    over = rules.above(path, department)
    assert path == over or path.startswith(f"{over}/")
    assert (over == path) == (department is not None or len(parts) == 1)


def test_every_post_of_the_city_has_somebody_above(world: World) -> None:
    paths = {(row.area_path, row.department_id) for row in world.look(Post.__table__.select())}
    assert paths and all(rules.above(*each).count("/") <= 2 for each in paths)
