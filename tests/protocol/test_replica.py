"""The device's pure rules, one by one and as laws: nothing recorded is lost, whatever an answer says. No I/O.

The state machine (test_machine.py) turns them against a server; here each rule is held alone.
"""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync_protocol import replica
from sync_protocol.identity import GENESIS, chain_head, fingerprint
from sync_protocol.limits import STATUSES

SEEN = st.sampled_from([*STATUSES, "from_the_future"])
CLOCKS = st.one_of(st.none(), st.booleans(), st.integers(0, 20))
ACKS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from([f"op-{n}" for n in range(6)]), "status": SEEN, "clock": CLOCKS}
    ),
    max_size=8,
)


def device(count: int = 0, ent: str = "thing:n0") -> replica.State:
    state = replica.fresh("r-1", "e0")
    for n in range(count):
        replica.record(state, f"op-{n}", f'{{"n":{n}}}', ent)
    return state


def page(rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A complete page of epoch e0 at clock 9."""
    told = {"as_of": 9, "complete": True, "rows": rows or [], "drop": [], "reset": [], "acks": []}
    return {"epoch": "e0", "cursor": "c", "durable_seq": 0, **told, **more}


def put(ent: str = "n0", bucket: str = "b1", data: Any = "row") -> dict[str, Any]:
    return {"b": bucket, "t": "thing", "id": ent, "op": "put", "ver": 1, "data": data}


def gone(ent: str = "n0", bucket: str = "b1") -> dict[str, Any]:
    return {"b": bucket, "t": "thing", "id": ent, "op": "remove"}


def ack(op: str, status: str = "applied", clock: Any = 7) -> dict[str, Any]:
    return {"op": op, "status": status, "clock": clock}


def held(state: replica.State) -> set[str]:
    return {kept["op"] for kept in (*state["outbox"], *state["acked"])}


def assert_chained(state: replica.State) -> None:
    head = GENESIS
    for n, op in enumerate(replica.wire(state, 99), 1):
        assert (op["seq"], op["prev"]) == (n, head)
        head = chain_head(head, state["replica"], n, fingerprint(op["body"]))
    assert (state["next_seq"], state["head"]) == (len(state["outbox"]) + 1, head)


def test_p4_ops_are_numbered_and_chained_as_recorded_and_every_try_sends_the_same() -> None:
    state = device(4)
    assert_chained(state)
    assert replica.wire(state, 4) == replica.wire(state, 4)
    assert [op["seq"] for op in replica.wire(state, 2)] == [1, 2]


def test_p9_renumbering_keeps_ids_and_bodies_and_chains_anew() -> None:
    state = device(5)
    replica.take_acks(state, [ack("op-0"), ack("op-1")], 0)
    before = [(k["op"], k["body"]) for k in state["outbox"]]
    replica.renumber(state, "r-2", "e0")
    assert [(k["op"], k["body"]) for k in state["outbox"]] == before
    assert_chained(state)


def test_p21_a_registration_in_another_history_offers_again_even_if_a_fork_asked_for_it() -> None:
    state = device(3)
    replica.take_acks(state, [ack("op-0", clock=5), ack("op-1", "parked", 6)], 0)
    assert replica.adopt(state, "r-2", "e1") is True
    assert [k["op"] for k in state["outbox"]] == ["op-0", "op-1", "op-2"]
    assert (state["acked"], state["cursor"], state["epoch"]) == ([], None, "e1")
    assert_chained(state)


def test_p9_a_registration_in_the_same_history_offers_only_what_waits() -> None:
    state = device(2)
    replica.take_acks(state, [ack("op-0")], 0)
    assert replica.adopt(state, "r-2", "e0") is False
    assert ([k["op"] for k in state["outbox"]], [k["op"] for k in state["acked"]]) == (["op-1"], ["op-0"])


@given(acks=ACKS, later=ACKS, durable=st.integers(0, 20))
def test_p22_no_answer_makes_an_op_go_that_is_not_decided_durable_and_shown(
    acks: list[dict[str, Any]], later: list[dict[str, Any]], durable: int
) -> None:
    state = device(5)
    for told in (acks, later):
        before = held(state)
        replica.take_acks(state, told, durable)
        decided = {
            a["op"] for a in (*acks, *later)
            if a["status"] in replica.DECIDED - {"applied"}
            and type(a["clock"]) is int and a["clock"] <= durable
        }  # fmt: skip
        assert before - held(state) <= decided, "an applied op was never shown here, so none may go"
    assert_unique(state)


def assert_unique(state: replica.State) -> None:
    names = [kept["op"] for kept in (*state["outbox"], *state["acked"])]
    assert len(names) == len(set(names))


@given(
    acks=ACKS,
    durable=st.integers(0, 20),
    steps=st.lists(st.sampled_from(["fork", "epoch", "reset"]), max_size=4),
)
def test_p12_no_reset_fork_or_restore_empties_an_outbox(
    acks: list[dict[str, Any]], durable: int, steps: list[str]
) -> None:
    state = device(5)
    replica.take_page(state, page([put()]))
    replica.take_acks(state, acks, durable)
    before = held(state)
    for n, step in enumerate(steps):
        if step == "reset":
            replica.start_over(state)
        else:
            replica.adopt(state, f"r-{n}x", f"e-{n}" if step == "epoch" else state["epoch"])
    assert held(state) == before
    assert_unique(state)


def test_p11_an_outcome_without_a_clock_frees_nothing_for_it_could_never_be_durable() -> None:
    state = device(1)
    replica.take_acks(state, [ack("op-0", clock=None), ack("op-0", "noop", True)], 99)
    assert [k["op"] for k in state["outbox"]] == ["op-0"]


def test_p11_a_status_of_a_later_version_lets_the_next_op_pass_and_is_asked_about() -> None:
    state = device(2)
    replica.take_acks(state, [ack("op-0", "from_the_future", 3)], 99)
    assert [k["op"] for k in state["outbox"]] == ["op-1"]
    assert replica.unacked(state, 9) == ["op-1", "op-0"]
    replica.take_acks(state, [ack("op-0", "noop", 3)], 99)
    assert held(state) == {"op-1"}


def test_p10_an_incident_is_kept_and_never_takes_the_outcome_of_the_other_op_of_its_name() -> None:
    state = device(1)
    replica.take_acks(state, [ack("op-0", "incident")], 99)
    assert replica.unacked(state, 9) == []
    replica.take_acks(state, [ack("op-0", "noop", 1)], 99)
    assert [k["status"] for k in state["acked"]] == ["incident"]


def test_p23_an_own_op_is_shown_once_before_and_after_its_row_holds_it() -> None:
    state = device(1)
    replica.take_page(state, page([put(data=[])]))
    assert replica.overlay(state, "thing:n0") == ["op-0"]
    replica.take_acks(state, [ack("op-0", clock=12)], 0)
    assert replica.overlay(state, "thing:n0") == ["op-0"]
    replica.take_page(state, page([put(data=["op-0"])], as_of=12))
    assert replica.overlay(state, "thing:n0") == []


def test_p23_an_op_offered_again_is_not_laid_over_a_row_that_held_it_already() -> None:
    state = device(1)
    replica.take_acks(state, [ack("op-0", clock=5)], 0)
    replica.take_page(state, page([put(data=["op-0"])]))
    replica.adopt(state, "r-2", "e1")
    assert replica.overlay(state, "thing:n0") == []
    replica.take_page(state, page([put(data=[])], epoch="e1", as_of=2, complete=False))
    assert replica.overlay(state, "thing:n0") == ["op-0"]


def test_p23_what_was_parked_is_not_laid_over_the_row() -> None:
    state = device(2)
    replica.take_acks(state, [ack("op-0", "parked")], 0)
    assert replica.overlay(state, "thing:n0") == ["op-1"]


def test_p16_a_row_stays_while_one_bucket_holds_it() -> None:
    state = device()
    replica.take_page(state, page([put(bucket="b1"), put(bucket="b2")]))
    replica.take_page(state, page([gone(bucket="b1")]))
    assert list(state["base"]) == ["thing:n0"]
    replica.take_page(state, page(drop=["b2"]))
    assert (state["base"], state["memb"]) == ({}, {})


def test_p19_a_reset_sweeps_at_the_end_only_and_only_what_was_not_seen() -> None:
    state = device()
    replica.take_page(state, page([put("n0"), put("n1"), put("n2", "b2")]))
    replica.take_page(state, page([put("n1")], reset=["b1"], complete=False))
    assert sorted(state["base"]) == ["thing:n0", "thing:n1", "thing:n2"]
    assert replica.resetting(state) == {"b1": 9}
    replica.take_page(state, page(as_of=11))
    assert sorted(state["base"]) == ["thing:n1", "thing:n2"]
    assert replica.resetting(state) == {}


def test_p19_two_fresh_starts_in_a_row_still_sweep_what_is_here() -> None:
    state = device()
    replica.take_page(state, page([put("n0")]))
    replica.adopt(state, "r-2", "e1")
    replica.adopt(state, "r-3", "e2")
    replica.take_page(state, page([put("n1")], epoch="e2"))
    assert list(state["base"]) == ["thing:n1"]


@given(
    cut=st.integers(0, 6), rows=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=6, max_size=6)
)
def test_p18_where_a_page_is_cut_makes_no_difference_in_the_end(
    cut: int, rows: list[tuple[int, bool]]
) -> None:
    told = [put(f"n{n}", data=k) if is_put else gone(f"n{n}") for k, (n, is_put) in enumerate(rows)]
    whole, parts = device(), device()
    replica.take_page(whole, page(told))
    replica.take_page(parts, page(told[:cut], complete=False))
    replica.take_page(parts, page(told[cut:]))
    assert parts == whole


def test_p20_a_page_taken_twice_is_a_page_taken_once() -> None:
    once = device(2)
    told = page([put()], acks=[ack("op-0", clock=3)], durable_seq=1)
    replica.take_page(once, told)
    twice = copy.deepcopy(once)
    replica.take_page(twice, told)
    assert twice == once
