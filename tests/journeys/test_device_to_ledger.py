"""From a device to the ledger, over real HTTP: the main path, and what is answered to what is broken."""

import gzip
import hashlib
import json
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.journal import book
from backend.ledgers import proof
from backend.ledgers import queries as ledgers
from backend.now import now_utc
from backend.ops.models import LoggedOp
from backend.photos import queries as photos
from backend.problems.models import Problem
from backend.sync.models import UnreadablePush
from sync_protocol.client.transport import Refused
from tests.journeys.stage import PHOTOS, Stage, checklist, new_id, stage

# tuspy as it is published, in a process of its own: one chunk, then a new uploader that must go on at the byte.
TUSPY = """
import sys
from tusclient import client
url, token, path, sha = sys.argv[1:]
mine = client.TusClient(url, headers={"Authorization": f"Bearer {token}"})
first = mine.uploader(path, chunk_size=100_000, metadata={"sha256": sha, "mime": "image/jpeg"})
first.upload_chunk()
again = mine.uploader(path, url=first.url, chunk_size=100_000)
print(again.offset)
again.upload()
print(again.offset)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    with stage(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture(scope="module")
def phone(running: Stage):
    client = running.device("ins1")
    assert client.sync(tries=3)
    yield client
    client.close()


def look(running: Stage, statement):
    with running.app.app_context(), snapshot() as session:
        return session.execute(statement).all()


def first_site(client) -> str:
    return min(task["site"] for task in client.rows("task") if task["state"] == "open")


def test_a_failed_item_becomes_a_placed_problem_with_a_chain_and_a_deadline(running: Stage, phone) -> None:
    site, photo = first_site(phone), PHOTOS / "zibo_zichuan_ok.jpg"
    sha = hashlib.sha256(photo.read_bytes()).hexdigest()
    op = phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, site, {"A104": [sha]}), [photo])
    assert phone.sync(tries=5)
    (row,) = look(running, select(LoggedOp.status).where(LoggedOp.op_id == op))
    assert row.status == "applied"
    problem = next(p for p in phone.rows("problem") if p["site_id"] == site)
    assert problem["district_id"] == "370302" and problem["missing_photos"] == 0 and problem["state"] == "assigned"
    assert problem["due_on"] is not None and problem["department_id"] == "education"
    assert next(t for t in phone.rows("task") if t["site"] == site)["state"] == "done"


def test_the_same_hazard_reported_again_joins_the_problem_that_is_there(running: Stage, phone) -> None:
    site = first_site(phone)
    for _ in range(2):
        phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, site, {"A107": []}))
    assert phone.sync(tries=5)
    found = [p for p in phone.rows("problem") if p["site_id"] == site]
    assert [p["report_count"] for p in found] == [2]


def test_an_unknown_verb_and_a_malformed_op_are_kept_with_their_reason_and_the_rest_goes_on(running: Stage, phone) -> None:
    site = first_site(phone)
    strange = phone.record("inspection.frobnicate", ("inspection", new_id()), {"note": "写下的话"})
    broken = phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, site, {}, answers={"Z999": "fail"}))
    old = phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, site, {}, template_version=99))
    good = phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, site, {}))
    assert phone.sync(tries=5)
    rows = dict(look(running, select(LoggedOp.op_id, LoggedOp.reason).where(LoggedOp.op_id.in_([strange, broken, old, good]))))
    assert rows == {strange: "unknown_type", broken: "invalid", old: "unknown_type", good: None}
    (kept,) = look(running, select(LoggedOp.body).where(LoggedOp.op_id == strange))
    assert "写下的话" in kept.body


def test_a_second_inspection_under_an_id_that_is_taken_is_parked_and_its_neighbours_are_applied(running: Stage, phone) -> None:
    site, taken = first_site(phone), new_id()
    names = [taken, new_id(), taken, new_id()]
    ops = [phone.record("inspection.submit", ("inspection", name), checklist(phone, site, {"A101": []})) for name in names]
    assert phone.sync(tries=5)
    rows = look(running, select(LoggedOp.op_id, LoggedOp.status, LoggedOp.reason).where(LoggedOp.op_id.in_(ops)))
    assert {row.op_id: (row.status, row.reason) for row in rows} == {
        ops[0]: ("applied", None), ops[1]: ("applied", None), ops[2]: ("parked", "conflict"), ops[3]: ("applied", None),
    }  # fmt: skip


def test_a_site_that_nobody_knows_parks_the_op_and_keeps_what_was_typed(running: Stage, phone) -> None:
    args = checklist(phone, first_site(phone), {}) | {"site_id": "ZB-000000-0000", "remarks": {"A101": "门口积水"}}
    op = phone.record("inspection.submit", ("inspection", new_id()), args)
    assert phone.sync(tries=5)
    (row,) = look(running, select(LoggedOp.status, LoggedOp.reason, LoggedOp.body).where(LoggedOp.op_id == op))
    assert (row.status, row.reason) == ("parked", "target_missing") and "门口积水" in row.body


def test_a_report_outside_every_district_is_a_problem_without_a_place_and_says_why(running: Stage, phone) -> None:
    far = {"lon": 116.3974, "lat": 39.9093, "accuracy_m": 5, "crs": "wgs84"}
    args = {"item": "A213", "programme": "campus-perimeter", "template_version": 1, "site_id": None, "team_id": "t1", "fix": far}
    phone.record("problem.report", ("finding", new_id()), args)
    assert phone.sync(tries=5)
    with running.app.app_context(), snapshot() as session:
        made = ledgers.rollup(session, SYSTEM, "370300", now_utc().date())
    assert made["unplaced"]["reasons"].get("outside_city") == 1
    assert sum(row["found"] for row in made["rows"]) == made["total"]["found"]


def test_a_push_of_five_hundred_ops_is_refused_whole_with_the_limit_and_nothing_is_stored(running: Stage, phone) -> None:
    before = look(running, select(func.count()).select_from(LoggedOp))
    state = phone.store.state()
    ops = [{"seq": n + 1, "prev": "0" * 64, "body": "{}"} for n in range(500)]
    with pytest.raises(Refused) as refusal:
        phone.transport.json("POST", "/sync/v1/push", {"proto": 1, "epoch": state["epoch"], "replica": state["replica"], "ops": ops})
    assert refusal.value.code == "too_large" and refusal.value.problem["limits"]["max_ops"] == 200
    assert look(running, select(func.count()).select_from(LoggedOp)) == before


def test_a_body_cut_short_is_answered_bad_frame_and_kept_for_inspection(running: Stage, phone) -> None:
    whole = gzip.compress(json.dumps({"proto": 1, "ops": []}).encode())
    headers = {**phone.transport.headers(), "Content-Type": "application/json", "Content-Encoding": "gzip"}
    status, _, body = phone.transport.raw("POST", "/sync/v1/push", whole[:-9], headers)
    assert (status, json.loads(body)["code"]) == (400, "bad_frame")
    status, _, body = phone.transport.raw("POST", "/sync/v1/push", b'{"ops": [', {**phone.transport.headers()})
    assert (status, json.loads(body)["code"]) == (400, "bad_frame")
    kept = look(running, select(UnreadablePush.body))
    assert b'{"ops": [' in [row.body for row in kept]


def test_a_broken_jpeg_is_in_custody_and_named_as_broken(running: Stage, phone) -> None:
    photo = PHOTOS / "truncated.jpg"
    sha = hashlib.sha256(photo.read_bytes()).hexdigest()
    phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, first_site(phone), {"A101": [sha]}), [photo])
    assert phone.sync(tries=5)
    with running.app.app_context(), snapshot() as session:
        kept = photos.get(session, sha)
        assert (kept.state, kept.fault) == ("corrupt", "truncated")


def test_tuspy_unchanged_resumes_a_cut_upload_and_it_verifies(running: Stage, phone) -> None:
    photo = PHOTOS / "zibo_linzi_ok.jpg"
    sha = hashlib.sha256(photo.read_bytes()).hexdigest()
    words = [f"{running.server.url}/sync/v1/blobs", phone.transport.token, str(photo), sha]
    done = subprocess.run([sys.executable, "-c", TUSPY, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.split() == ["100000", str(photo.stat().st_size)], done.stderr
    with running.app.app_context(), snapshot() as session:
        assert photos.get(session, sha).state == "verified"


def test_a_killed_server_loses_nothing_that_it_acknowledged(running: Stage, phone) -> None:
    ops = [phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, first_site(phone), {})) for _ in range(30)]
    phone.transport.close()  # an idle line may have been closed by the server meanwhile
    for _ in range(4):  # the first one may only heal the line, or be told of a fork
        if len(phone.store.state()["outbox"]) == 30:
            phone.push(10)
    assert len(phone.store.state()["outbox"]) == 20
    running.server.kill()
    assert phone.sync(tries=8)
    rows = look(running, select(LoggedOp.op_id).where(LoggedOp.op_id.in_(ops)))
    assert len(rows) == 30


def test_ledgers_reconcile_and_the_journal_is_whole(running: Stage, phone) -> None:
    site = first_site(phone)
    phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, site, {"A201": [], "A202": [], "A203": []}))
    assert phone.sync(tries=8)
    with running.app.app_context(), snapshot() as session:
        made = proof.reconcile(session, SYSTEM, now_utc().date())
        assert made["reconciles"], made["checks"]
        assert session.execute(select(func.count()).select_from(Problem)).scalar_one() >= 3
        assert list(book.verify(session)) == []
