"""Killed at each named step of a change, of a photo's way and of a job, then started again (F2, F17; I1, I2, I5, I6,
I19): what was acknowledged is stored, nothing is there twice, nobody has to mend anything by hand."""

import ast
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend import database, faults
from backend.app import create_app
from backend.database import snapshot
from backend.faults import KILLED, POINTS, arm
from backend.now import now_utc
from backend.ops import jobs
from backend.ops.models import Job
from backend.ops.work import JOBS
from backend.photos.pipeline import sweep_scratch
from backend.sync.giving_up import forget
from backend.sync.receiving import finish_whole
from backend.sync.tus import BYTES
from tests import make
from tests.faults.audit import faults_of, words_of
from tests.faults.phones import Photographer, Pusher
from tests.faults.rig import ROOT, Place, Server

CHANGE = [p for p in POINTS if p.split(".")[0] in ("push", "books", "commit")]
CHECKPOINT = [p for p in POINTS if p.startswith("checkpoint")]
DEVICE = ["enrol.before_reply", "replica.before_reply"]
GIVEN_UP = "upload.given_up"
PHOTO = [p for p in POINTS if p.split(".")[0] in ("upload", "photo") and p != GIVEN_UP]
JOB = [p for p in POINTS if p.split(".")[0] in ("job", "derive")]
OUT = [p for p in POINTS if p.startswith("out.")]  # test_kill_outbox.py
READY_S = 3.0
Work = Callable[[Flask], object]


def test_every_point_stands_once_on_a_way_and_every_one_is_killed_at_below() -> None:
    found: Counter[str] = Counter()
    for path in (ROOT / "backend").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "passing":
                found[ast.literal_eval(node.args[0])] += 1
    assert found == dict.fromkeys(POINTS, 1)
    assert sorted([*CHANGE, *CHECKPOINT, *DEVICE, *PHOTO, GIVEN_UP, *JOB, *OUT]) == sorted(POINTS)


@pytest.mark.parametrize("said", ["commit.aftre:1", "commit.after", "commit.after:0", "commit.after:x"])
def test_a_fault_that_is_misspelt_is_refused_at_the_start(said: str) -> None:
    with pytest.raises(ValueError, match="HUYUAN_FAULT"):
        arm(said, is_production=False)


def test_faults_are_refused_where_real_people_are_served_and_none_is_armed_by_default() -> None:
    with pytest.raises(ValueError, match="for tests"):
        arm("commit.after:1", is_production=True)
    arm("", is_production=True)


def killed(place: Place, fault: str, work: Work, **more: Any) -> None:
    """Do `work` in a process of its own, with `fault` armed, and see that it was killed there.

    A fork instead of a server: fifty steps would cost fifty starts. The way from the request to the disk is the same.
    """
    child = os.fork()
    if child == 0:
        try:
            app = create_app(place.config(fault=fault, **more))
            with app.app_context():
                work(app)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == KILLED, f"{fault} was not reached"


def push(pusher: Pusher, request: bytes) -> Work:
    """The push as work of an app of its own; what it is told goes into the pusher's ledger."""

    def work(app: Flask) -> object:
        answer = app.test_client().post("/sync/v1/push", data=request, headers=pusher.headers)
        pusher.hear(answer.status_code, answer.get_json())
        return answer

    return work


def enrolled(place: Place, person: int = 1) -> Pusher:
    """A device, without any server running."""
    request = {
        "code": place.code(person),
        "install_id": f"install-{uuid.uuid4()}",
        "app": "faults/1",
        "proto": 1,
    }
    with place.app() as app:
        made = app.test_client().post("/sync/v1/enrol", json=request).get_json()
    return Pusher.of(place, Server(place), person, made)


@pytest.mark.parametrize("passing", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_at_each_step_of_a_push_nothing_acknowledged_is_lost_and_nothing_is_there_twice(
    place: Place, passing: int
) -> None:
    pusher = enrolled(place)
    for point in CHANGE:
        if passing == 2 and point == "push.before_reply":
            continue  # one reply a push
        request = pusher.batch(120)
        killed(place, f"{point}:{passing}", push(pusher, request))
        assert faults_of(place, pusher.acks) == [], point
        with place.app() as app:
            push(pusher, request)(app)
        assert [op for op in pusher.recorded if op not in pusher.acks] == [], point
    assert faults_of(place, pusher.acks) == []


def test_killed_while_the_log_is_folded_back_nothing_is_lost(place_of: Callable[[str], Place]) -> None:
    place = place_of("sqlite")
    pusher = enrolled(place)
    for point in CHECKPOINT:
        request = pusher.batch(60)

        def work(app: Flask, request: bytes = request) -> object:
            database.WAL_CHECKPOINT_BYTES = 1
            return push(pusher, request)(app)

        killed(place, f"{point}:1", work)
        with place.app() as app:
            push(pusher, request)(app)
        assert [op for op in pusher.recorded if op not in pusher.acks] == []
    assert faults_of(place, pusher.acks) == []


def test_killed_before_the_answer_to_an_enrolment_the_same_code_gives_the_same_installation_its_device(
    place: Place,
) -> None:
    request = {"code": place.code(1), "install_id": "install-1", "app": "faults/1", "proto": 1}
    killed(place, "enrol.before_reply:1", lambda app: app.test_client().post("/sync/v1/enrol", json=request))
    with place.app() as app:
        made = [app.test_client().post("/sync/v1/enrol", json=request) for _ in range(2)]
        assert [answer.status_code for answer in made] == [201, 201]
        first, second = (answer.get_json() for answer in made)
        assert (first["device"], first["replica"]) == (second["device"], second["replica"])
        stranger = app.test_client().post("/sync/v1/enrol", json=request | {"install_id": "another"})
        assert (stranger.status_code, stranger.get_json()["code"]) == (404, "code_unknown")
    asked = []
    for token in (second["token"], first["token"]):
        with place.app() as app:
            asked.append(pull(app, token))
    assert asked == [200, 401], "the token of the answer that was lost is worth nothing once the newer one is used"
    assert faults_of(place, {}) == []


def pull(app: Flask, token: str) -> int:
    head = {"Authorization": f"Bearer {token}"}
    return app.test_client().post("/sync/v1/pull", json={"proto": 1}, headers=head).status_code


def test_killed_before_the_answer_to_a_registration_the_same_nonce_gives_the_same_replica(
    place: Place,
) -> None:
    pusher, again = enrolled(place), {"install_id": "install-1", "nonce": "n1"}
    ask: Work = lambda app: app.test_client().post("/sync/v1/replicas", json=again, headers=pusher.headers)  # noqa: E731
    killed(place, "replica.before_reply:1", ask)
    with place.app() as app:
        made = {ask(app).get_json()["replica"] for _ in range(2)}  # type: ignore[attr-defined]
    assert len(made) == 1 and faults_of(place, {}) == []


def ask_app(app: Flask) -> Callable[..., tuple[int, Any, bytes]]:
    """The app as a photographer's line."""

    def ask(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        answer = app.test_client().open(path, method=method, data=body, headers=headers)
        return answer.status_code, answer.headers, answer.data

    return ask


def test_killed_at_each_step_of_a_photo_its_bytes_are_never_called_whole_before_they_are(
    place: Place,
) -> None:
    pusher, shas = enrolled(place), set[str]()
    for point in PHOTO:
        one = Photographer(pusher.token, point)
        killed(place, f"{point}:1", lambda app, one=one: one.bring(ask_app(app)))
        assert faults_of(place, {}, shas) == [], point
        with place.app() as app:
            one.bring(ask_app(app))
        shas.add(one.sha)
        assert faults_of(place, {}, shas) == [], point


def test_killed_after_the_last_byte_a_photo_is_finished_without_its_phone(place: Place) -> None:
    pusher, shas = enrolled(place), set[str]()
    for point in ("upload.moved:2", "photo.hashed:1", "photo.renamed:1", "photo.received:1"):
        one = Photographer(pusher.token, point)
        killed(place, point, lambda app, one=one: one.bring(ask_app(app)))
        with place.app():
            assert (finish_whole(now_utc()), finish_whole(now_utc())) == (1, 0)
        shas.add(one.sha)
        assert faults_of(place, {}, shas) == [], point


def test_killed_while_an_upload_is_given_up_it_is_gone_and_its_file_is_swept(place: Place) -> None:
    pusher, data = enrolled(place), b"given up"
    named = {"Upload-Length": "99", "Upload-Metadata": make.metadata(make.sha(data))}
    headers = {"Authorization": f"Bearer {pusher.token}", "Tus-Resumable": "1.0.0"}

    def give_up(app: Flask) -> None:
        client = app.test_client()
        at = client.post("/sync/v1/blobs", data=data, headers=headers | named | {"Content-Type": BYTES}).headers["Location"]
        client.delete(at, headers=headers)

    killed(place, f"{GIVEN_UP}:1", give_up)
    (left,) = (place.folder / "photos" / "incoming").iterdir()
    with place.app() as app:
        assert app.test_client().head(f"/sync/v1/blobs/{left.name}", headers=headers).status_code == 404
        assert forget(now_utc()) == 0 and left.exists(), "it may be one that is just being created"
        assert forget(now_utc() + timedelta(days=2)) == 1 and not left.exists()


def test_f17_a_worker_killed_at_each_step_of_a_job_does_it_once_in_effect_and_leaves_nothing(
    place: Place,
) -> None:
    pusher = enrolled(place)
    for point in JOB:
        one = Photographer(pusher.token, point)
        with place.app() as app:
            one.bring(ask_app(app))
        killed(place, f"{point}:1", lambda _: jobs.run_one(JOBS, now_utc()))
        folder = place.folder / "photos" / one.sha[:2]
        assert bool(list(folder.glob("making-*"))) == point.startswith("derive.")
        with place.app():
            assert not jobs.run_one(JOBS, now_utc()), "leased to a worker that may still be at it"
            is_left = jobs.run_one(JOBS, now_utc() + jobs.LEASE + timedelta(seconds=1))
            assert is_left == (point != "job.done") and not jobs.run_one(JOBS, now_utc() + jobs.LEASE * 3)
            sweep_scratch(time.time() + 7200)
            with snapshot() as session:
                job = session.scalars(select(Job).where(Job.key == f"photo.derive:{one.sha}")).one()
                assert job.done_at is not None and job.attempts == (1 if point == "job.done" else 2)
        assert sorted(p.name for p in (folder / f"{one.sha}.d").iterdir()) == ["1280.jpg", "320.jpg"]
        assert faults_of(place, {}, {one.sha}) == []


def over_the_line(place: Place, points: Sequence[str]) -> None:
    """The same with the real server, which is started anew after each: a device for each point, all retried at last."""
    pushers = [enrolled(place, n % 8 + 1) for n in range(len(points))]
    requests = [pusher.batch(120) for pusher in pushers]
    server = Server(place)
    try:
        for point, pusher, request in zip(points, pushers, requests, strict=True):
            pusher.server = server
            server.start(f"{point}:1")
            assert pusher.send(request)[0] == 0, f"{point} was passed and an answer came all the same"
            server.wait_killed()
        server.start()
        for pusher, request in zip(pushers, requests, strict=True):
            assert len(pusher.insist(request)["results"]) == 120
    finally:
        server.end()
    assert faults_of(place, {op: told for pusher in pushers for op, told in pusher.acks.items()}) == []
    assert words_of(server) == [] and min(server.start_cpu_s) < READY_S, server.start_cpu_s


def test_a_real_server_killed_after_the_commit_and_before_the_reply_starts_by_itself(place: Place) -> None:
    over_the_line(place, ["commit.after", "push.before_reply"])


@pytest.mark.slow
def test_a_real_server_killed_at_every_step_of_a_push_starts_by_itself(place: Place) -> None:
    over_the_line(place, CHANGE)


def test_without_a_fault_armed_a_point_costs_next_to_nothing() -> None:
    faults.arm("", is_production=False)
    started = time.perf_counter()
    for _ in range(100_000):
        faults.passing("commit.after")
    assert time.perf_counter() - started < 1.0  # 10 µs each; it is some 50 ns, and the machine may be busy
