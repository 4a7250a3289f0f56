"""A server that goes back in time and does not notice: whatever the order of things, no acknowledged op is lost (P60–P62).

The same machine as test_machine.py, but a restore keeps the old epoch. What devices show meanwhile is not asked here.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule

from sync_protocol import replica
from tests.protocol.device import Device
from tests.protocol.memory_server import MemoryServer
from tests.protocol.test_machine import Field
from tests.protocol.test_traces import HOME, server_and_device


class Slipping(Field):
    """A server that slips."""

    @rule()
    def restore(self) -> None:
        self.server.slip()
        for device in self.devices:  # a server that slipped has broken the rules: that they differ is no wonder (P43)
            device.is_damaged = True

    def every_own_op_is_seen_exactly_once(self) -> None:
        """Not held here: a row of a lost future may show an op that is offered again."""

    def teardown(self) -> None:
        for _ in range(4):
            for device in self.devices:
                device.settle(self.server)
        held = {k["op"] for device in self.devices for k in device.state["acked"]}
        lost = set(self.ops) - set(self.server.data["log"])
        assert lost <= held, "an op is neither on the server nor on any device"
        gone = [op for op in lost if any(self.is_decided(device, op) for device in self.devices)]
        self.server.backup()
        for device in self.devices:
            device.settle(self.server)
            device.settle(self.server)
        assert not set(gone) - set(self.server.data["log"]), "an op that a device would have let go of was not offered again"

    def is_decided(self, device: Device, op: str) -> bool:
        return any(k["op"] == op and k["status"] in replica.DECIDED for k in device.state["acked"])


TestSlipping = Slipping.TestCase
TestSlipping.settings = settings(
    max_examples=int(os.environ.get("HUYUAN_EXAMPLES", "150")), stateful_step_count=40, deadline=None,
    database=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip


def slipped_and_overtaken() -> tuple[MemoryServer, Device, str]:
    """A device's acknowledged op is lost; the server has since gone past its clock and is in a backup again."""
    server, phone = server_and_device()
    phone.settle(server)
    server.backup()
    op = phone.act("thing.create", "n0", HOME)
    phone.push(server)
    server.slip()
    for n in range(9):
        server.desk([("create", f"e{n}", HOME)])
    server.backup()
    return server, phone, op


def test_p60_an_op_is_not_let_go_on_the_word_of_a_server_that_does_not_hold_it() -> None:
    server, phone, op = slipped_and_overtaken()
    for _ in range(5):
        phone.pull(server)
    assert op in {k["op"] for k in (*phone.state["acked"], *phone.state["outbox"])}
    phone.settle(server)
    phone.settle(server)
    assert op in server.data["log"]
    assert server.data["entities"]["n0"]["tags"] == [op]


def test_p60_an_op_goes_once_the_server_has_named_it_again() -> None:
    server, phone = server_and_device()
    phone.act("thing.create", "n0", HOME)
    phone.settle(server)
    server.backup()
    phone.settle(server)
    assert len(phone.state["acked"]) == 1, "told durable, not yet asked about"
    phone.settle(server)
    assert phone.state["acked"] == []


def test_p61_a_device_that_was_told_a_later_clock_takes_nothing_and_offers_again() -> None:
    server, phone = server_and_device()
    phone.settle(server)
    server.backup()
    op = phone.act("thing.create", "n0", HOME)
    phone.push(server)
    phone.pull(server)
    phone.state["cursor"] = None  # nothing signed is left: the server cannot be shown a proof
    server.slip()
    epoch = server.data["epoch"]
    phone.settle(server)
    assert (op in server.data["log"], server.data["epoch"]) == (True, epoch)
    assert phone.view("n0") == [op]


def test_p62_a_cursor_past_the_clock_begins_a_new_epoch_for_everybody() -> None:
    server, phone = server_and_device()
    other = Device(server)
    server.backup()
    server.desk([("create", "e0", HOME)])
    phone.settle(server)
    server.slip()
    was = server.data["epoch"]
    phone.settle(server)
    other.settle(server)
    assert server.data["epoch"] != was
    assert phone.state["epoch"] == other.state["epoch"] == server.data["epoch"]


def test_p62_a_cursor_that_nobody_signed_begins_nothing() -> None:
    server, _ = server_and_device()
    was = server.data["epoch"]
    server.register("made-up")
    assert server.data["epoch"] == was
