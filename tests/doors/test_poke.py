"""Listening over real HTTP (P91): a client that is poked pulls within seconds, on both databases; many listeners hold up nobody."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from backend.access.scope import SYSTEM
from backend.ops.apply import submit
from sync_protocol.client import listening
from sync_protocol.client.__main__ import main
from sync_protocol.client.listening import Poke
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline, Refused, ServerBusy, Transport
from tests.faults.rig import Place, Server

QUICK = {"HUYUAN_POKE_LISTENERS": "6", "HUYUAN_POKE_LIFE_S": "600"}


@contextlib.contextmanager
def served(place: Place, **more: str) -> Iterator[Server]:
    server = Server(place)
    server.start(more={**QUICK, **more})
    try:
        yield server
    finally:
        server.end()


def enrolled(server: Server, place: Place, folder: Path, person: int) -> FieldClient:
    client = FieldClient(folder, server.url, synchronous="OFF")
    client.enrol(place.code(person))
    return client


def change(place: Place, n: int) -> int:
    """Something that a desk does in everybody's district; its clock."""
    with place.app():
        team = {"id": f"late{n}", "name": "晚组（示例）", "areas": ["370303"], "members": ["u-f1"]}
        plan = {"title": f"复查{n}（示例）", "programmes": ["campus-perimeter"], "teams": [team]}
        return submit("sweep.open", plan, SYSTEM, ent=("sweep", f"late{n}")).clock


def stream(server: Server, token: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    line.request("GET", "/sync/v1/poke", headers={"Authorization": f"Bearer {token}"})
    return line, line.getresponse()


def next_clock(answer: http.client.HTTPResponse) -> int:
    """The clock of the next poke of a stream."""
    while line := answer.readline():
        if line.startswith(b"data:"):
            return int(json.loads(line[5:])["clock"])
    raise AssertionError("the stream has ended")


def until(step: Any, seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while not (got := step()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return got


def test_p91_a_client_that_watches_has_a_desks_change_without_being_told_to_pull(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "SPREAD_S", 0.1)
    with served(place, HUYUAN_POKE_LIFE_S="5") as server:
        client = enrolled(server, place, tmp_path / "phone", 1)
        assert client.sync()
        done: dict[str, int] = {}

        def listen() -> None:
            watching = FieldClient(tmp_path / "phone", server.url, synchronous="OFF")
            done.update(listening.watch(watching, 4.0, Random(1)))
            watching.close()

        thread = threading.Thread(target=listen)
        begun = {row["id"] for row in client.rows("task")}
        thread.start()
        clock = change(place, 1)
        thread.join(60)
        assert done["pokes"] >= 1 and done["syncs"] >= 1
        assert {row["id"] for row in client.rows("task")} > begun
        assert not client.is_news(Poke(client.store.state("epoch")["epoch"], clock)) and client.is_news(Poke("another", 0))
        client.close()


def test_p91_a_lost_stream_loses_nothing_the_next_one_begins_with_where_things_stand(place: Place, tmp_path: Path) -> None:
    with served(place) as server:
        client = enrolled(server, place, tmp_path / "phone", 1)
        assert client.sync()
        line, answer = stream(server, client.transport.token)
        begun = next_clock(answer)
        line.sock.close()
        clock = change(place, 1)
        first = next(poke for poke in client.listen() if poke)
        assert begun < first.clock == clock and client.is_news(first)
        client.sync()
        assert not client.is_news(first)
        client.close()


def test_p91_listeners_hold_up_nobody_a_full_house_says_when_to_come_back_and_stopping_lets_them_go(place: Place, tmp_path: Path) -> None:
    with served(place) as server:
        clients = [enrolled(server, place, tmp_path / f"phone{n}", n) for n in range(1, 8)]
        streams = [stream(server, client.transport.token) for client in clients[:6]]
        clocks = [next_clock(answer) for _, answer in streams]
        with pytest.raises(ServerBusy) as busy:
            next(clients[6].listen())
        assert 60 <= busy.value.retry_after_s <= 300
        assert clients[6].sync() and clients[0].sync()  # who listens keeps no lane, who does not is not in anybody's way
        clock = change(place, 1)
        told = [next_clock(answer) for _, answer in streams]
        assert all(before < now <= clock for before, now in zip(clocks, told, strict=True)) and clock in told
        again, answer = stream(server, clients[0].transport.token)  # its own place, taken anew
        assert next_clock(answer) == told[0]
        assert streams[0][1].read().count(b"data:") == 0  # the older one has ended
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 15 and answer.read().count(b"data:") == 0
        for line, _ in [*streams, (again, answer)]:
            line.close()
        with pytest.raises(Offline):
            next(clients[1].listen())
        for client in clients:
            client.close()


def test_p91_a_revoked_device_is_refused_and_the_command_line_watches(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(place, HUYUAN_POKE_LIFE_S="1") as server:
        client = enrolled(server, place, tmp_path / "phone", 2)
        assert main(["--home", str(tmp_path / "phone"), "--url", server.url, "watch", "--seconds", "1.5"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["pokes"] >= 1 and said["syncs"] == 0  # where things stand is where the first sync left them
        client.transport.token = "hy_dev_nobody"
        with pytest.raises(Refused, match="unauthenticated"):
            next(client.listen())
        client.close()


def test_what_is_no_poke_is_ignored_and_a_line_that_breaks_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["retry: 5000", "", "event: other", 'data: {"epoch":"e","clock":1}', "", "event: poke", "data: [", "", "event: poke",
            'data: {"epoch":"e","clock":true}', "", ": alive", "id: 7", "event:poke",
            'data:{"epoch":"e","clock":9,"more":1}', "", "event: poke", 'data: {"epoch":"e","clock":10}']  # fmt: skip
    transport = Transport("http://127.0.0.1:9")
    monkeypatch.setattr(transport, "lines", lambda path: iter(said))
    assert list(listening.pokes(transport, "/poke")) == [None, Poke("e", 9)]  # the last one was not brought to its end
    with pytest.raises(Offline):
        list(Transport("http://127.0.0.1:9").lines("/poke"))
