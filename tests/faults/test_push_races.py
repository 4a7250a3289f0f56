"""Pushes that meet: the same body at once, clones at once, the same sites in reverse order with photos arriving
(P6, P7, P8 of sync.md §4.3; I1, I2, I5). Real server, real threads, both databases."""

import base64
import hashlib
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from backend.cli.field_team import picture
from sync_protocol.client.session import FieldClient
from sync_protocol.identity import chain_head, fingerprint
from tests.faults.audit import faults_of, words_of
from tests.faults.phones import CODES, Pusher, op_body, sites
from tests.faults.rig import Place, Server, serving


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all of them from one starting shot; their results. A fault of one is raised."""
    start, results = threading.Barrier(len(works)), [None] * len(works)

    def run(n: int) -> None:
        start.wait()
        results[n] = works[n]()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in results
    return results


def test_p6_the_same_body_from_eight_threads_is_applied_by_one_and_a_duplicate_to_seven(place: Place) -> None:
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        for _ in range(4):
            request = pusher.batch(20)
            answers = [a for _, a in at_once(*[lambda r=request: (0, pusher.insist(r))] * 8)]
            dups = Counter(r["op"] for a in answers for r in a["results"] if r["dup"])
            assert set(dups.values()) == {7} and len(dups) == 20
            told = {json.dumps([{**r, "dup": None} for r in a["results"]]) for a in answers}
            assert len(told) == 1 and {r["status"] for r in answers[0]["results"]} == {"applied"}
        assert words_of(server) == []
    assert faults_of(place, pusher.acks) == []


def test_p7_of_two_clones_that_push_at_once_exactly_one_is_told_of_a_fork(place: Place) -> None:
    with serving(place) as server:
        acks: dict[str, Any] = {}
        for round_ in range(6):
            first = Pusher.enrol(place, server, 1, round_)
            acks |= first.insist(first.batch(3)) and first.acks
            clone = Pusher(**{**vars(first), "dice": Random(f"clone{round_}"), "acks": {}, "statuses": []})
            mine, theirs = first.batch(2), clone.batch(2)
            answers = at_once(partial(first.send, mine), partial(clone.send, theirs))
            assert sorted(status for status, _ in answers) == [200, 409]
            told = next(answer for status, answer in answers if status == 409)
            assert told["code"] == "replica_forked" and told["next_seq"] == 6
            acks |= first.acks | clone.acks
        assert words_of(server) == []
    assert faults_of(place, acks) == []


def test_p7_cloned_phones_that_sync_at_once_lose_nothing_and_double_nothing(place: Place, tmp_path: Path) -> None:
    with serving(place) as server:
        original = FieldClient(tmp_path / "phone", server.url)
        original.enrol(place.code(2))
        schools, dice = sites(place), Random(7)

        def record(client: FieldClient) -> str:
            body = json.loads(op_body("u-f2", "tf2", dice.choice(schools), dice))
            return client.record(body["verb"], ("inspection", body["ent"]["id"]), body["args"])

        ops = {record(original) for _ in range(5)}
        original.close()
        homes = [tmp_path / f"clone{n}" for n in range(3)]
        for home in homes:
            shutil.copytree(tmp_path / "phone", home)
        clones = [FieldClient(home, server.url) for home in homes]
        ops |= {record(clone) for clone in clones for _ in range(4)}
        assert at_once(*[lambda c=clone: c.sync() for clone in clones]) == [True] * 3
        replicas = {clone.store.state()["replica"] for clone in clones}
        assert len(replicas) == 3 and all(clone.store.state()["outbox"] == [] for clone in clones)
        for clone in clones:
            clone.close()
        status, answer = server.json("POST", "/sync/v1/ops/status", {"op_ids": sorted(ops)}, clones[0].transport.token)
        assert status == 200 and {op["status"] for op in answer["ops"]} == {"applied"} and len(answer["ops"]) == 17
        assert words_of(server) == []
    assert faults_of(place, {op["op"]: op for op in answer["ops"]}) == []


def failing(pusher: Pusher, schools: list[str], shas: dict[str, str]) -> bytes:
    """One request: at each site in this order a checklist with two failed items, one of them with a photo."""
    ops = []
    for site in schools:
        body = json.loads(op_body(f"u-f{pusher.person}", f"tf{pusher.person}", site, pusher.dice))
        answers = {**dict.fromkeys(CODES[:20], "pass"), "A101": "fail", "A102": "fail"}
        body["args"] |= {"answers": answers, "photos": {"A101": [shas[site]]}}
        body["blobs"] = [{"sha256": shas[site], "size": 1, "mime": "image/jpeg"}]
        text = json.dumps(body, ensure_ascii=False)
        ops.append({"seq": pusher.seq, "prev": pusher.head, "body": text})
        pusher.head = chain_head(pusher.head, pusher.replica, pusher.seq, fingerprint(text))
        pusher.seq += 1
    return pusher.request(ops)


def upload(server: Server, token: str, data: bytes) -> int:
    """One photo by tus, by a phone that comes again when it was told to; 204 (or 200, of a HEAD) where it is whole."""
    head = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    meta = f"sha256 {base64.b64encode(hashlib.sha256(data).hexdigest().encode()).decode()}"
    url, at = "", 0
    while True:
        if not url:
            more = {"Upload-Length": str(len(data)), "Upload-Metadata": meta}
            status, got, _ = server.ask("POST", "/sync/v1/blobs", b"", {**head, **more})
            url = str(got["Location"] or "")
        elif at < len(data):
            more = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
            status, got, _ = server.ask("PATCH", url, data[at:], {**head, **more})
        else:
            status, got, _ = server.ask("HEAD", url, None, head)
        if status != 503:
            assert status in (200, 201, 204), status
            at = int(got["Upload-Offset"])
            if status != 201 and at == len(data):
                return status
        else:
            time.sleep(int(got["Retry-After"]))
            at = len(data)  # asked where it stands


def waits(server: Server) -> list[str]:
    """The server's lines about a push or photo that was sent away by the database. Each must be of a wait that was
    given up (LockNotAvailable), never of a deadlock, a lost connection or a pool that is empty."""
    lines = [line for line in server.said().splitlines() if "database_trouble" in line or "push_stopped" in line]
    assert all("LockNotAvailable" in line for line in lines), lines
    return lines


def deadlocks(place: Place) -> int:
    """How often PostgreSQL had to break one so far."""
    assert place.cluster is not None
    with place.cluster.connect() as line:
        line.execute("SELECT pg_stat_force_next_flush()")
        found = line.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", (place.name,)).fetchone()
    assert found is not None
    return int(found[0])


def test_the_count_of_deadlocks_that_p8_looks_at_does_count_them(place_of: Callable[[str], Place]) -> None:
    place = place_of("postgres")
    assert place.cluster is not None and deadlocks(place) == 0
    with place.cluster.connect(place.name) as one, place.cluster.connect(place.name) as two:
        for line, key in ((one, 1), (two, 2)):
            line.execute("BEGIN")
            line.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
        told: list[type[BaseException]] = []

        def ask(line: Any, key: int) -> None:
            try:
                line.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
            except psycopg.errors.DeadlockDetected as broken:
                told.append(type(broken))
                line.execute("ROLLBACK")

        at_once(lambda: ask(one, 2) or 0, lambda: ask(two, 1) or 0)
        assert len(told) == 1
    assert deadlocks(place) == 1


@pytest.mark.parametrize(("count", "step"), [(50, 5), pytest.param(125, 1, marks=pytest.mark.slow)])
def test_p8_ops_in_reverse_overlapping_order_of_sites_with_photos_arriving_never_deadlock(
    place_of: Callable[[str], Place], count: int, step: int
) -> None:
    """Four people over the same sites take turns, lot by lot. On a busy machine the last of them may wait longer than a
    request may (LOCK_MS): it is told so (503, or `stopped` after the lots before), nothing of that lot is kept, and a
    phone that comes when it was told to gets through. Nothing else may send anybody away."""
    place = place_of("postgres")
    schools = sites(place)[:count]
    data = {site: picture(site, 118.04, 36.8) for site in schools}
    shas = {site: hashlib.sha256(data[site]).hexdigest() for site in schools}
    with serving(place) as server:
        pushers = [Pusher.enrol(place, server, n, n) for n in range(1, 5)]
        for pusher in pushers:  # the problems are there already: everybody then joins and alters the same rows
            assert pusher.insist(failing(pusher, schools[:5], shas))
        assert waits(server) == [], "one at a time nobody waits"
        half, back = count // 2, schools[::-1]
        orders = [schools, back, schools[half:] + schools[:half], back[half:] + back[:half]]
        works = [
            lambda p=p, o=o: p.insist(failing(p, o, shas), seconds=240, is_patient=True)
            for p, o in zip(pushers, orders, strict=True)
        ]
        sent = schools[::step]
        uploads = [lambda s=sent[n::4]: [upload(server, pushers[0].token, data[site]) for site in s] for n in range(4)]
        results = at_once(*works, *uploads)
        assert {r["status"] for answer in results[:4] for r in answer["results"]} == {"applied"}
        assert sum(len(whole) for whole in results[4:]) == len(sent)
        refused = sum(p.statuses.count(503) for p in pushers)
        assert all(set(p.statuses) <= {200, 503} for p in pushers), [Counter(p.statuses) for p in pushers]
        assert refused <= len(waits(server)), "sent away for another reason than a wait for those before"
        assert words_of(server) == [] and deadlocks(place) == 0
    acks = {op: told for p in pushers for op, told in p.acks.items()}
    assert len(acks) == 4 * (count + 5) and faults_of(place, acks, {shas[site] for site in sent}) == []
