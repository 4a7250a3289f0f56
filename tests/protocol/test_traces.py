"""Traces that once went wrong somewhere, told step by step over the server in memory. No randomness."""

from sync_protocol import doubts, replica
from tests.protocol.device import Device
from tests.protocol.memory_server import MemoryServer

HOME = "district:1"


def server_and_device(page_size: int = 3) -> tuple[MemoryServer, Device]:
    server = MemoryServer(page_size)
    server.scope.add(HOME)
    return server, Device(server)


def test_v9_a_cloned_phone_loses_nothing_and_doubles_nothing() -> None:
    server, phone = server_and_device()
    first = phone.act("thing.create", "n0", HOME)
    twin = phone.clone()
    second, third = phone.act("thing.note", "n0"), twin.act("thing.note", "n0")
    phone.push(server)
    twin.push(server)
    assert twin.state["replica"] != phone.state["replica"]
    twin.push(server)
    assert server.data["entities"]["n0"]["tags"] == [first, second, third]
    assert len(server.data["log"]) == 3


def test_v10_an_op_that_a_restore_took_away_is_offered_again() -> None:
    server, phone = server_and_device()
    phone.pull(server)
    op = phone.act("thing.create", "n0", HOME)
    phone.push(server)
    assert [k["op"] for k in phone.state["acked"]] == [op]
    server.restore()
    assert op not in server.data["log"]
    phone.settle(server)
    assert list(server.data["log"]) == [op]
    assert server.data["entities"]["n0"]["tags"] == [op]


def test_p4_a_lost_push_answer_does_not_fork_the_replica() -> None:
    server, phone = server_and_device()
    phone.act("thing.create", "n0", HOME)
    name = phone.state["replica"]
    phone.push(server, "lose_response")
    phone.pull(server)
    assert phone.state["outbox"] == []
    phone.act("thing.note", "n0")
    phone.push(server)
    assert (phone.state["replica"], phone.state["outbox"]) == (name, [])


def test_p17_a_reset_survives_a_compaction_in_its_middle() -> None:
    server, phone = server_and_device(page_size=2)
    server.desk([("create", f"e{n}", HOME) for n in range(6)])
    phone.settle(server)
    server.desk([("delete", "e5", "")])
    server.compact()
    assert phone.pull(server) is False  # the reset begins: e0 and e1 are marked as seen
    server.desk([("delete", "e0", "")])
    server.compact()
    phone.settle(server)
    assert sorted(phone.state["base"]) == [f"thing:e{n}" for n in (1, 2, 3, 4)]


def test_p21_a_page_of_another_history_is_not_taken() -> None:
    server, phone = server_and_device()
    server.restore()
    assert phone.pull(server) is False
    assert phone.state["epoch"] == server.data["epoch"]
    assert phone.state["base"] == {}


def test_p22_a_created_row_is_not_let_go_before_it_is_shown() -> None:
    server, phone = server_and_device()
    phone.pull(server)
    op = phone.act("thing.create", "n0", HOME)
    phone.push(server)
    server.backup()
    replica.take_acks(phone.state, [], server.data["durable"])
    assert [k["op"] for k in phone.state["acked"]] == [op]
    phone.pull(server)
    assert (phone.state["acked"], phone.view("n0")) == ([], [op])


def test_p22_a_parked_op_stays_until_a_person_has_decided() -> None:
    server, phone = server_and_device()
    op = phone.act("thing.note", "nowhere")
    phone.push(server)
    server.backup()
    phone.pull(server)
    assert [k["status"] for k in phone.state["acked"]] == ["parked"]
    assert op in server.data["log"], "an op that cannot be applied is in custody all the same"
    server.data["log"][op]["status"] = "noop"
    phone.pull(server)
    assert phone.state["acked"] == []


def test_p23_clocks_of_two_histories_are_not_compared() -> None:
    server, phone = server_and_device()
    server.desk([("create", "e0", HOME)])
    server.backup()
    op = phone.act("thing.note", "e0")
    phone.push(server)
    server.desk([("append", "e0", "desk-1")])
    phone.pull(server)
    server.restore()
    for n in range(9):
        server.desk([("append", "e0", f"desk-{n}")])
    phone.push(server)
    late = phone.act("thing.note", "e0")
    while phone.state["outbox"]:
        phone.push(server)
    view = phone.view("e0")
    assert view is not None
    assert (view.count(op), view.count(late)) == (1, 1)


def test_p11_what_was_answered_was_committed() -> None:
    server, phone = server_and_device()
    op = phone.act("thing.create", "n0", HOME)
    phone.push(server, "crash")
    held = {k["op"] for k in phone.state["outbox"]}
    assert op in held | set(server.data["log"]), "the op is nowhere but in an answer"


def test_p15_a_bucket_entered_later_is_read_from_its_beginning() -> None:
    server, phone = server_and_device()
    server.desk([("create", "e0", "team:3")])
    server.desk([("create", "e1", HOME)])
    phone.settle(server)
    server.scope.add("team:3")
    phone.settle(server)
    assert sorted(phone.state["base"]) == ["thing:e0", "thing:e1"]


def test_p16_what_moved_out_of_sight_is_gone_and_what_moved_within_stays() -> None:
    server, phone = server_and_device()
    server.scope.add("team:3")
    server.desk([("create", ent, HOME) for ent in ("e0", "e1")])
    phone.settle(server)
    server.desk([("move", "e0", "district:2"), ("move", "e1", "team:3")])
    phone.settle(server)
    assert phone.state["memb"] == {"thing:e1": ["team:3"]}
    assert list(phone.state["base"]) == ["thing:e1"]


def test_p19_two_restores_in_a_row_still_sweep_what_is_here() -> None:
    server, phone = server_and_device()
    server.desk([("create", "e0", HOME)])
    phone.settle(server)
    for _ in range(2):
        server.restore()
        assert phone.pull(server) is False
    phone.settle(server)
    assert phone.state["base"] == {}


def test_p20_a_page_that_did_not_arrive_moves_nothing() -> None:
    server, phone = server_and_device()
    server.desk([("create", "e0", HOME)])
    phone.pull(server, "lose_response")
    phone.settle(server)
    assert list(phone.state["base"]) == ["thing:e0"]


def test_p23_an_old_history_that_was_further_ahead_hides_no_new_op() -> None:
    server, phone = server_and_device()
    server.desk([("create", "e0", HOME)])
    server.backup()
    for n in range(9):
        server.desk([("append", "e0", f"desk-{n}")])
    phone.settle(server)
    server.restore()
    op = phone.act("thing.note", "e0")
    phone.push(server)
    phone.push(server)
    assert [k["op"] for k in phone.state["acked"]] == [op]
    view = phone.view("e0")
    assert view is not None and view.count(op) == 1
    phone.settle(server)
    assert phone.view("e0") == server.data["entities"]["e0"]["tags"]


def filled(*ents: str) -> tuple[MemoryServer, Device]:
    """A server with these entities and a device that has them."""
    server, phone = server_and_device()
    server.desk([("create", ent, HOME) for ent in ents])
    phone.settle(server)
    return server, phone


def test_p22_an_op_is_kept_until_a_backup_holds_it() -> None:
    server, phone = filled("e0")
    op = phone.act("thing.note", "e0")
    phone.push(server)
    phone.pull(server)
    server.restore()
    phone.settle(server)
    assert op in server.data["log"]


def test_p43_what_a_device_lost_or_made_up_is_healed_by_one_reset_and_no_op_is_touched() -> None:
    for how in ("lose", "ghost", "older"):
        server, phone = filled("e0", "e1", "e2", "e3", "e4")
        op, phone.is_damaged = phone.act("thing.note", "e0"), True
        state = phone.state
        if how == "lose":
            del state["base"]["thing:e3"], state["memb"]["thing:e3"]
        elif how == "ghost":
            state["base"]["thing:e9"] = {"data": [], "ver": 1, "as_of": 0, "epoch": state["epoch"]}
            state["memb"]["thing:e9"] = [HOME]
        else:
            state["base"]["thing:e3"]["ver"] = 0
        assert phone.pull(server) is True
        assert state["doubts"][HOME]["n"] == 1
        pages = 1
        while not phone.pull(server):
            pages += 1
            assert [k["op"] for k in state["outbox"]] == [op]
        assert (pages, state["doubts"], state["resetting"]) == (2, {}, {})
        assert {key: row["data"] for key, row in state["base"].items()} == {
            f"thing:{ent}": e["tags"] for ent, e in server.data["entities"].items()
        }


def test_p44_after_three_mismatches_in_a_row_no_reset_is_asked_for_and_a_person_is_told_once() -> None:
    server, phone = filled("e0", "e1")
    phone.is_damaged, server.is_lying = True, True
    for _ in range(12):
        phone.pull(server)
    assert phone.state["doubts"][HOME]["n"] > doubts.MOST
    assert (doubts.mismatched(phone.state), doubts.to_report(phone.state)) == ({}, [HOME])
    doubts.note_report(phone.state, HOME)
    phone.pull(server)
    assert (doubts.to_report(phone.state), phone.state["resetting"]) == ([], {})
    server.is_lying = False
    phone.pull(server)
    assert phone.state["doubts"] == {}, "what agrees again is not doubted"


def with_bundle(*ents: str) -> tuple[MemoryServer, Device, str]:
    """A bundle of HOME with these entities, and a device that is offered it."""
    server, phone = server_and_device()
    server.desk([("create", ent, HOME) for ent in ents])
    server.bundle(HOME)
    assert phone.pull(server) is False
    (offer,) = phone.state["offers"]
    return server, phone, offer["id"]


def test_p46_a_bundle_and_then_the_pages_are_the_whole() -> None:
    server, phone, bundle_id = with_bundle("e0", "e1", "e2", "e3", "e4")
    server.desk([("append", "e1", "desk-1"), ("delete", "e2", ""), ("create", "e5", HOME)])
    assert phone.pull(server) is False
    assert (sorted(phone.state["base"]), phone.state["taken"]) == ([f"thing:e{n}" for n in range(5)], [bundle_id])
    assert phone.pull(server) is True
    assert sorted(phone.state["base"]) == [f"thing:e{n}" for n in (0, 1, 3, 4, 5)]
    assert (phone.view("e1"), phone.state["taken"]) == (["desk-e1", "desk-1"], [])


def test_p46_a_bundle_that_is_gone_comes_in_pages() -> None:
    server, phone, _ = with_bundle("e0", "e1")
    server.bundles.clear()
    phone.settle(server)
    assert sorted(phone.state["base"]) == ["thing:e0", "thing:e1"]
    assert phone.state["by_pages"] is False


def test_p46_removals_that_were_forgotten_after_the_bundle_are_made_good() -> None:
    server, phone, _ = with_bundle("e0", "e1")
    assert phone.pull(server) is False
    server.desk([("delete", "e1", "")])
    server.compact()
    phone.settle(server)
    assert list(phone.state["base"]) == ["thing:e0"]


def test_p46_during_a_reset_the_older_bundle_is_its_beginning() -> None:
    server, phone = filled("e0", "e1", "e2", "e3")
    server.bundle(HOME)
    server.desk([("append", ent, "desk-1") for ent in ("e0", "e2", "e3")] + [("create", "e4", HOME)])
    server.desk([("delete", "e1", "")])
    replica.start_over(phone.state)
    assert phone.pull(server) is False and len(phone.state["offers"]) == 1
    assert phone.pull(server) is False and phone.state["offers"] == []
    assert phone.pull(server) is False, "a page of three of the four changes; the removal comes after"
    server.compact()
    phone.settle(server)
    assert sorted(phone.state["base"]) == [f"thing:e{n}" for n in (0, 2, 3, 4)]


def test_p46_a_row_of_a_later_version_is_not_put_back_by_a_bundle() -> None:
    server, phone = filled("e0")
    server.bundle(HOME)
    op = phone.act("thing.note", "e0")
    phone.push(server)
    server.backup()
    phone.pull(server)
    phone.pull(server)  # P60: named once more, it goes
    assert (phone.state["acked"], phone.view("e0")) == ([], ["desk-e0", op])
    replica.start_over(phone.state)
    while not phone.pull(server):
        assert phone.view("e0") == ["desk-e0", op]


def test_p16_what_came_in_a_bundle_goes_when_its_bucket_is_lost() -> None:
    server, phone, _ = with_bundle("e0", "e1")
    assert phone.pull(server) is False
    server.scope.clear()
    phone.settle(server)
    assert phone.state["base"] == {}
