"""The third oracle: the same trace on the model, on the real server over SQLite and over PostgreSQL comes to the same: status of every
op, view and outbox of every device, members of every bucket. HUYUAN_EXAMPLES sets how many traces (PostgreSQL: a twentieth)."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.postgres import cluster
from tests.protocol.real_server import DISTRICTS, RealServer
from tests.protocol.stages import THINGS, ModelStage, RealStage, Stage

Step = tuple[Any, ...]
WHO, THING = st.integers(0, 2), st.sampled_from(THINGS[:6])
FAULTS = st.sampled_from([None, None, "drop_request", "lose_response", "crash", "duplicate"])
DO: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "create": (WHO, THING), "note": (WHO, THING), "push": (WHO, FAULTS), "pull": (WHO,), "settle": (WHO,), "words": (THING,),
    "delete": (THING,), "place": (st.sampled_from(DISTRICTS), st.booleans()), "clone": (WHO,), "compact": (), "backup": (), "restore": (),
}  # fmt: skip
OFTEN = ["create", "create", "note", "note", "settle", "settle", "push", "words", *DO]
TRACES = st.lists(st.sampled_from(OFTEN).flatmap(lambda verb: st.tuples(st.just(verb), *DO[verb])), min_size=4, max_size=30)
GIVEN = int(os.environ.get("HUYUAN_EXAMPLES", "0"))
QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    made = RealServer(tmp_path_factory.mktemp("sqlite"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with cluster() as found:
        made = RealServer(tmp_path_factory.mktemp("postgres"), found)
        yield made
        made.close()


def told(stage: Stage, trace: list[Step]) -> list[Any]:
    """What is seen after each step that ends in a whole view, and of every device in the end."""
    seen = [stage.play(*step) for step in trace]
    last = [stage.settle(n) for _ in range(2) for n in range(len(stage.devices))]
    return [one for one in seen if one is not None] + last


def differences(one: list[Any], other: list[Any]) -> list[Any]:
    """(which look, what was looked at, here, there) of everything that differs."""
    assert len(one) == len(other)
    looks = enumerate(zip(one, other, strict=True))
    return [(n, name, here[name], there[name]) for n, (here, there) in looks for name in here if here[name] != there[name]]


@settings(max_examples=GIVEN // 20 or 40, **QUIET)
@given(trace=TRACES)
def test_a_trace_comes_to_the_same_on_the_model_and_on_sqlite(sqlite: RealServer, trace: list[Step]) -> None:
    assert differences(told(ModelStage(), trace), told(RealStage(sqlite), trace)) == []


@settings(max_examples=GIVEN // 400 or 6, **QUIET)
@given(trace=TRACES)
def test_a_trace_comes_to_the_same_on_all_three(sqlite: RealServer, postgres: RealServer, trace: list[Step]) -> None:
    model = told(ModelStage(), trace)
    for server in (sqlite, postgres):
        assert differences(model, told(RealStage(server), trace)) == []


def test_the_traces_have_what_they_are_about(sqlite: RealServer) -> None:
    trace: list[Step] = [("create", 0, THINGS[0]), ("settle", 0), ("note", 0, THINGS[0]), ("words", THINGS[0]), ("settle", 0),
                         ("create", 0, THINGS[0]), ("delete", THINGS[0]), ("note", 0, THINGS[0])]  # fmt: skip
    seen = told(RealStage(sqlite), trace)
    assert len(seen[1]["view"][THINGS[0]][0]) == 2 and seen[1]["feed"]
    assert sorted(seen[-1]["statuses"].values()) == ["applied", "applied", "parked", "parked"] and not seen[-1]["view"]
