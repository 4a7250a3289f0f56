"""Laws of the inbox over random facts, places and departments: told are exactly those who are meant and see the subject.

The oracle asks the database what each person sees, with the statement that every read begins with; what is handed out decides in
Python. Afterwards the subjects move, people lose areas, and every inbox must show what its owner still sees, and count that.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import queries as accounts
from backend.accounts.models import User
from backend.database import snapshot
from backend.notices import fanout, queries
from backend.notices.models import Notice, NoticeFact
from backend.notices.rules import KINDS
from backend.problems.models import Problem
from backend.sweeps import queries as sweeps
from tests import make
from tests.cast import A_TOWNSHIP, CAST, CITY, A, B, World

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PATHS = (f"{CITY}/{A}", f"{CITY}/{A}/{A_TOWNSHIP}", f"{CITY}/{B}", f"{CITY}/{B}/370302101", CITY, "")
DEPARTMENTS = ("education", "market", None)
PEOPLE = [person.id for person in CAST.values()]
KINDS_OF_PROBLEM = sorted(k for k in KINDS if k.startswith("problem.") or k == "document.issued")
PAPERS = sorted(k for k in KINDS if k.startswith(("handover.", "order.", "transfer.", "post.")))
PLACED = {"sweep.opened": "sweep", "device.silent": "device", "op.parked": "person", "clock.escalated": "order"}

facts = st.one_of(
    st.tuples(st.sampled_from(KINDS_OF_PROBLEM), st.integers(0, 3), st.just(""), st.sampled_from([*PEOPLE, "system"])),
    st.tuples(st.sampled_from(sorted(PLACED)), st.sampled_from([*PEOPLE, "x"]), st.sampled_from(PATHS), st.sampled_from([*PEOPLE, "system"])),
    st.tuples(st.sampled_from(PAPERS), st.sampled_from(DEPARTMENTS), st.sampled_from(PATHS), st.sampled_from([*PEOPLE, "system"])),
)
places = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(DEPARTMENTS)), min_size=4, max_size=4)


@pytest.fixture(scope="module")
def subjects(world: World) -> Iterator[list[str]]:
    yield [make.problem(world, world.any_phone("inspector_a"), world.site()).id for _ in range(4)]


def lie(world: World, subjects: list[str], where: list[tuple[str, str | None]]) -> None:
    there = ({"area_path": path, "department_id": department, "escalated_level": "district"} for path, department in where)
    world.change(*(update(Problem).where(Problem.id == p).values(values) for p, values in zip(subjects, there, strict=True)))


def row(n: int, fact: tuple[str, Any, str, str], subjects: list[str]) -> dict[str, Any]:
    kind, about, path, by = fact
    made = {"id": f"{n:04d}", "kind": kind, "area_path": path, "by_id": by, "at": NOW, "data": {}}
    if kind == "document.issued":
        return {**made, "ent_type": "document", "ent_id": f"XG-{about}", "data": {"problem_id": subjects[about]}}
    if kind in PAPERS:
        return {**made, "ent_type": kind.partition(".")[0], "ent_id": f"{about}@{path}", "data": {"department": about}}
    if kind in PLACED:
        return {**made, "ent_type": PLACED[kind], "ent_id": about, "data": {"level": "district"} if kind == "clock.escalated" else {}}
    return {**made, "ent_type": "problem", "ent_id": subjects[about]}


def actors(session: Any) -> dict[str, Actor]:
    """Everybody who may sign in, the samples' own accounts too."""
    return {user.id: actor for user in accounts.users(session, SYSTEM) if (actor := sweeps.field_actor(session, user.id))}


def sees(session: Any, actor: Actor, each: dict[str, Any]) -> bool:
    """What SQL says."""
    about = each["data"].get("problem_id") or (each["ent_id"] if each["ent_type"] == "problem" else None)
    if about:
        return session.scalars(visible(Problem, actor).where(Problem.id == about)).first() is not None
    path = each["area_path"]
    return actor.role == "admin" or any(path == area or path.startswith(area + "/") for area in actor.areas)


def is_of(actor: Actor, path: str, department: str | None) -> bool:
    """The office of an area is told by those whose area it is and no other; a department's by its people, wherever they see."""
    if department is None:
        return actor.role != "department" and path in actor.areas
    return actor.role == "department" and actor.department_id == department


def expected(session: Any, people: dict[str, Actor], rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    """(person, kind, subject) → how often."""
    found: dict[tuple[str, str, str], int] = {}
    for each in rows:
        kind = KINDS[each["kind"]]
        for who, actor in people.items():
            is_doer = who == each["by_id"]
            is_meant = not is_doer and (actor.role in kind.who or (kind.finder and who == CAST["inspector_a"].id))
            is_meant = is_meant and (not kind.by_level or actor.role == "district")
            is_meant = is_meant and (each["kind"] not in PAPERS or is_of(actor, each["area_path"], each["data"]["department"]))
            if (kind.author and each["ent_id"] == who) or (is_meant and sees(session, actor, each)):
                key = (who, each["kind"], each["ent_id"])
                found[key] = found.get(key, 0) + 1
    return found


def shown(world: World) -> dict[tuple[str, str, str], int]:
    with world.app.app_context(), snapshot() as session:
        told = {}
        for who, actor in actors(session).items():
            page = queries.page(session, actor, True, None, 500)
            assert queries.unread(session, actor) == min(len(page), queries.MOST_UNREAD)
            told |= {(who, n.kind, n.ent_id): n.count for n in page}
        return told


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(facts=st.lists(facts, min_size=1, max_size=12), before=places, after=places, gone=st.sampled_from([None, "zhangdian", "education", "nanding"]))
def test_told_are_those_who_are_meant_and_see_it_and_shown_is_what_they_still_see(
    world: World, subjects: list[str], facts: list[Any], before: list[Any], after: list[Any], gone: str | None
) -> None:
    rows = [row(n, fact, subjects) for n, fact in enumerate(facts)]
    world.change(delete(Notice), delete(NoticeFact))
    lie(world, subjects, before)
    world.change(*(insert(NoticeFact).values(each) for each in rows))
    with world.app.app_context(), snapshot() as session:
        wanted = expected(session, actors(session), rows)
    with world.app.app_context():
        assert fanout.deliver(NOW) == len(rows) and fanout.deliver(NOW) == 0
    assert {(n.user_id, n.kind, n.ent_id): n.count for n in world.look(Notice.__table__.select())} == wanted
    lie(world, subjects, after)
    areas = world.look(User.__table__.select().where(User.login == gone))[0].areas if gone else []
    world.change(*([update(User).where(User.login == gone).values(areas=[])] if gone else []))
    with world.app.app_context(), snapshot() as session:
        people = actors(session)
        still = {key: n for key, n in wanted.items() if any(sees_line(session, people[key[0]], key, each) for each in rows)}
    assert shown(world) == still
    world.change(*([update(User).where(User.login == gone).values(areas=areas)] if gone else []))


def sees_line(session: Any, actor: Actor, key: tuple[str, str, str], each: dict[str, Any]) -> bool:
    """Whether a line's owner sees its subject by now; the newest place of a line counts, and what is about oneself stays."""
    if (each["kind"], each["ent_id"]) != key[1:]:
        return False
    return each["ent_type"] == "person" and each["ent_id"] == actor.id or sees(session, actor, each)
