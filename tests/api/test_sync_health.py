"""GET /v1/sync-health (P90): who sees whose devices, what is known of each, and that to know it costs no request a write."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from backend.accounts.models import Device, EnrolCode
from backend.database import db
from backend.sync import contacts
from backend.sync.contacts import Note
from backend.sync.models import DeviceContact, Replica
from tests import make
from tests.cast import CAST, Phone, World, told

PATH = "/v1/sync-health"
DAY = timedelta(days=1)


def board(world: World, login: str = "zhangdian", **query: Any) -> dict[str, Any]:
    answer = world.desk(login).get(PATH, query_string=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def of(found: dict[str, Any], phone: Phone) -> dict[str, Any]:
    (row,) = [row for row in found["devices"] if row["device"] == phone.device]
    return row


def age(world: World, phone: Phone, by: timedelta) -> None:
    """As if nobody had heard of a phone for so long."""
    board(world)  # what is in memory is written first
    then = datetime.now(UTC) - by
    world.change(
        update(Device).where(Device.id == phone.device).values(enrolled_at=then),
        update(Replica).where(Replica.device_id == phone.device).values(last_seen_at=then),
        update(DeviceContact).where(DeviceContact.device_id == phone.device).values(seen_at=then),
    )


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with world.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.answers("desk.sync_health", 200)
def test_a_device_that_has_synced_is_told_with_when_and_nothing_is_amiss(world: World) -> None:
    phone = world.phone("inspector_a")
    assert of(board(world), phone)["complete_pull_at"] is None and of(board(world), phone)["held_ops"] is None
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site()))
    page = phone.pull(schema=2, outbox_len=0, limit=500)
    while not page["complete"]:
        page = phone.pull(schema=2, outbox_len=0, cursor=page["cursor"])
    row = of(board(world), phone)
    assert (row["schema"], row["proto"], row["complete_pull_clock"], row["held_ops"]) == (2, 1, page["as_of"], 0)
    assert row["last_push_at"] <= row["complete_pull_at"] <= row["last_seen_at"] and 0 <= row["complete_pull_age_s"] < 300
    assert (row["is_silent"], row["silent_since"], row["is_failing"], row["unsynced_since"], row["failures"]) == (False, None, False, None, {})
    assert row["person"] == {"id": "u-inspector_a", "name": CAST["inspector_a"].name, "role": "inspector", "is_active": True}


def test_a_supervisor_sees_the_devices_of_their_own_area_and_nobody_elses(world: World) -> None:
    ours, theirs = world.phone("inspector_a"), world.phone("inspector_b")
    everybody = ("zhangdian", "zichuan", "city", "auditor", "admin", "education", "nanding")
    seen = {who: {row["device"] for row in board(world, who)["devices"]} for who in everybody}
    assert ours.device in seen["zhangdian"] and theirs.device not in seen["zhangdian"]
    assert theirs.device in seen["zichuan"] and ours.device not in seen["zichuan"]
    assert all({ours.device, theirs.device} <= seen[who] for who in ("city", "auditor", "admin"))
    assert not seen["education"] and not seen["nanding"]  # no people of that department; nobody who works in that township alone
    assert {p["person"]["id"] for p in board(world, "zichuan")["not_enrolled"]} <= {"u-inspector_b"}


@pytest.mark.answers("desk.sync_health", 400, 401, 403, 406, 422)
def test_who_does_not_look_after_devices_is_refused_and_nonsense_is_told_so(world: World) -> None:
    assert told(world.anonymous().get(PATH)) == (401, "unauthenticated")
    assert told(world.any_phone("inspector_a").ask("GET", PATH)) == (401, "unauthenticated")  # a token is no session
    for login in ("inspector_a", "expert", "kindergarten"):
        assert told(world.desk(login).get(PATH)) == (403, "forbidden")
    for query in ("show=everything", "limit=0", "limit=2001", "limit=many", "limit=0002001"):
        assert told(world.desk("city").get(f"{PATH}?{query}")) == (422, "invalid"), query
    assert told(world.desk("city").get(f"{PATH}?devices=1")) == (400, "bad_request")
    assert told(world.desk("city").get(PATH, headers={"Accept": "text/csv"})) == (406, "not_acceptable")


def test_a_device_that_is_not_heard_of_for_longer_than_the_setting_is_silent_since_then(world: World) -> None:
    phone, other = world.phone("inspector_a"), world.phone("inspector_a")
    age(world, phone, timedelta(seconds=world.app.extensions["config"].silent_after_s + 60))
    age(world, other, timedelta(seconds=world.app.extensions["config"].silent_after_s - 60))
    found = board(world)
    assert of(found, phone)["is_silent"] and of(found, phone)["silent_since"] == of(found, phone)["last_seen_at"]
    assert not of(found, other)["is_silent"]
    assert found["devices"][0]["is_silent"] and found["totals"]["silent"] == len(board(world, show="silent")["devices"]) >= 1
    phone.ask("GET", "/sync/v1/attention")
    assert not of(board(world), phone)["is_silent"]
    before = board(world)["totals"]["silent"]
    world.app.extensions["config"] = replace(world.app.extensions["config"], silent_after_s=60.0)
    assert board(world)["totals"]["silent"] > before
    world.app.extensions["config"] = replace(world.app.extensions["config"], silent_after_s=129_600.0)


def test_what_a_device_still_holds_is_what_it_said_less_what_came_and_its_age_runs_from_when_it_began(world: World) -> None:
    phone = world.phone("inspector_a")
    body = make.body("problem.report", ("finding", make.new_id()), make.report(world.site()), actor="u-inspector_a")
    asked = phone.frame(body) | {"outbox_len": 7}
    phone.next_seq, phone.head = (answer := phone.post("/sync/v1/push", asked).json)["next_seq"], answer["head"]
    assert (row := of(board(world, show="holding"), phone))["held_ops"] == 6 and row["unsynced_since"] == row["last_push_at"]
    world.change(update(Replica).where(Replica.id == phone.replica).values(held_since=datetime.now(UTC) - 2 * DAY))
    phone.post("/sync/v1/push", phone.frame() | {"outbox_len": 6})
    totals = board(world)["totals"]
    assert of(board(world), phone)["held_ops"] == 6 and totals["oldest_unsynced_age_s"] >= 2 * DAY.total_seconds()
    assert totals["held_ops"] >= 6 and totals["holding"] >= 1
    phone.pull(outbox_len=9)  # a push that does not come through is told of all the same
    assert of(board(world), phone)["held_ops"] == 9
    phone.pull(outbox_len="many")  # no word about itself keeps a device from pulling
    assert of(board(world), phone)["held_ops"] == 9
    phone.pull(outbox_len=0)
    assert of(board(world), phone)["held_ops"] == 0 and of(board(world), phone)["unsynced_since"] is None
    assert phone.device not in {row["device"] for row in board(world, show="holding")["devices"]}


def test_photos_that_have_not_come_and_ops_that_wait_for_a_person_are_counted_with_their_device(world: World) -> None:
    phone, other = world.phone("inspector_a"), world.phone("inspector_a")
    blobs = [{"sha256": make.new_id().replace("-", "") * 2, "size": 5, "mime": "image/jpeg"} for _ in range(3)]
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site(), photos=[b["sha256"] for b in blobs]), blobs=blobs)
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site(), "Z9"))
    row = of(board(world), phone)
    assert (row["photos_missing"], row["attention"]) == (3, 1)
    assert row["unsynced_since"] == row["attention_since"] or row["unsynced_since"] < row["attention_since"]
    assert (of(board(world), other)["photos_missing"], of(board(world), other)["attention"]) == (0, 0)


def test_each_stage_tells_its_last_refusal_and_how_many_in_a_row(world: World) -> None:
    phone = world.phone("inspector_a")
    for _ in range(3):
        assert phone.post("/sync/v1/pull", {"proto": 1, "cursor": "nonsense"}).status_code == 410
    assert phone.post("/sync/v1/push", {"ops": 1}).status_code == 400
    assert phone.ask("POST", "/sync/v1/blobs", headers={"Tus-Resumable": "0.2.2"}).status_code == 412
    row = of(board(world, show="failing"), phone)
    assert {stage: (f["code"], f["count"]) for stage, f in row["failures"].items()} == {
        "pull": ("cursor_invalid", 3), "push": ("bad_frame", 1), "upload": ("tus_version", 1),
    }  # fmt: skip
    assert phone.post("/sync/v1/pull", {"proto": 1, "cursor": "nonsense"}).status_code == 410
    assert of(board(world), phone)["failures"]["pull"]["count"] == 4  # it goes on counting where it stood
    phone.pull()
    phone.push()
    row = of(board(world), phone)
    assert {stage: f["count"] for stage, f in row["failures"].items()} == {"pull": 0, "push": 0, "upload": 1} and row["is_failing"]


def test_one_who_was_sent_away_by_a_full_lane_or_taken_out_of_service_is_known_all_the_same(world: World) -> None:
    phone, lanes = world.phone("inspector_a"), world.app.extensions["admission"].lanes
    lanes["pull"].came_at_s += [0.0] * lanes["pull"].most
    assert phone.post("/sync/v1/pull", {"proto": 1}).status_code == 503
    lanes["pull"].came_at_s.clear()
    assert of(board(world), phone)["failures"]["pull"]["code"] == "overloaded"
    phone.post("/sync/v1/push", phone.frame() | {"outbox_len": 2})
    world.change(update(Device).where(Device.id == phone.device).values(is_revoked=True))
    assert phone.post("/sync/v1/push", phone.frame()).status_code == 401
    row = of(board(world), phone)  # it still holds something
    assert (row["is_revoked"], row["held_ops"], row["failures"]["push"]["code"]) == (True, 2, "device_revoked")
    world.change(update(Replica).where(Replica.device_id == phone.device).values(outbox_len=0, held_since=None))
    assert phone.device not in {row["device"] for row in board(world)["devices"]}


def test_a_phone_that_enrolled_again_is_one_device_and_keeps_what_its_former_self_left_open(world: World) -> None:
    phone = world.phone("inspector_a")
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site(), "Z8"))
    again = world.phone("inspector_a", phone.install)
    found = board(world)
    assert of(found, again)["attention"] == 1 and phone.device not in {row["device"] for row in found["devices"]}


def test_a_code_that_nobody_used_and_one_that_another_phone_tries_are_told(world: World) -> None:
    world.change(EnrolCode.__table__.delete(), DeviceContact.__table__.delete())
    world.change(Device.__table__.delete().where(Device.user_id == "u-expert"))
    world.code("expert")
    world.change(update(EnrolCode).where(EnrolCode.user_id == "u-expert").values(expires_at=datetime.now(UTC) - DAY))
    (waiting,) = board(world)["not_enrolled"]
    assert (waiting["person"]["id"], waiting["is_over"]) == ("u-expert", True)
    code = world.code("inspector_a")
    first = world.anonymous().post("/sync/v1/enrol", json={"code": code, "install_id": make.new_id()}).json
    assert world.anonymous().post("/sync/v1/enrol", json={"code": code, "install_id": "another"}).status_code == 404
    (row,) = [row for row in board(world)["devices"] if row["device"] == first["device"]]
    assert (row["failures"]["enrol"]["code"], row["failures"]["enrol"]["count"]) == ("code_unknown", 1)


def test_the_board_costs_as_many_statements_for_many_devices_as_for_one(world: World) -> None:
    board(world, "zichuan")
    with statements(world) as few:
        board(world, "zichuan")
    for _ in range(12):
        world.phone("inspector_b").pull()
    board(world, "zichuan")  # writes what is in memory
    with statements(world) as many:
        assert board(world, "zichuan", limit=5)["more"] >= 7
    assert len(many) == len(few)


def test_a_pull_and_a_refusal_write_nothing_and_a_push_nothing_more_than_its_replica(world: World) -> None:
    phone = world.phone("inspector_a")
    with statements(world) as seen:
        phone.pull()
        phone.post("/sync/v1/pull", {"proto": 1, "cursor": "nonsense"})
    assert [s for s in seen if s.split()[0] in ("INSERT", "UPDATE", "DELETE")] == []
    phone.push()
    with statements(world) as seen:
        phone.push()
    assert not [s for s in seen if "device_contacts" in s]
    assert world.look(select(Replica.pushed_at).where(Replica.id == phone.replica))[0][0] is not None


def test_tokens_of_nobody_are_not_kept_and_cannot_fill_the_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = world.app.extensions["contacts"]
    notes.write()
    for n in range(20):
        headers = {"Authorization": f"Bearer hy_dev_{n}"}
        assert world.anonymous().post("/sync/v1/pull", json={}, headers=headers).status_code == 401
    assert notes._notes == {}
    monkeypatch.setattr(contacts, "MOST", 3)
    for n in range(9):
        notes.note(("token", str(n)), Note(datetime.now(UTC)))
    assert len(notes._notes) == 3
    count = len(world.look(select(DeviceContact.device_id)))
    notes.write()
    assert notes._notes == {} and len(world.look(select(DeviceContact.device_id))) == count


def test_what_could_not_be_written_waits_for_the_next_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, notes = world.phone("inspector_a"), world.app.extensions["contacts"]
    phone.post("/sync/v1/pull", {"proto": 1, "cursor": "nonsense"})
    with monkeypatch.context() as broken:
        broken.setattr(contacts, "_write", lambda *_: 1 / 0)
        notes.write()
        phone.post("/sync/v1/pull", {"proto": 1, "cursor": "nonsense"})
    assert of(board(world), phone)["failures"]["pull"]["count"] == 2


def test_what_is_noted_is_written_without_anybody_asking(world: World) -> None:
    phone, made = world.phone("inspector_a"), contacts.Contacts(world.app, keep_s=0.01)
    made.note(("token", contacts.digest(phone.token)), Note(datetime.now(UTC), complete_clock=4711))
    made._timer.join(10)  # type: ignore[union-attr]
    assert (4711,) in world.look(select(DeviceContact.complete_clock).where(DeviceContact.device_id == phone.device))


# ---- the law of joining notes

BEGUN = datetime(2026, 11, 24, 9, tzinfo=UTC)
OUTCOMES = st.lists(st.tuples(st.sampled_from(("pull", "push")), st.sampled_from((None, "overloaded", "busy"))), max_size=12)


def heard(n: int, stage: str, code: str | None, held: int) -> Note:
    at = BEGUN + timedelta(minutes=n)
    since = at if held else None
    return Note(at, held=held, held_at=at, held_since=since, was_empty=held == 0, failures={stage: contacts._outcome(code, at)})


@given(OUTCOMES.flatmap(lambda seen: st.tuples(st.just(seen), st.lists(st.integers(0, 2), min_size=len(seen), max_size=len(seen)), st.integers(0, 12))))
def test_notes_joined_in_memory_and_then_with_the_row_say_what_a_walk_over_all_contacts_says(told_: Any) -> None:
    seen, held, cut = told_
    notes = [heard(n, stage, code, held[n]) for n, (stage, code) in enumerate(seen)]
    begin = Note(BEGUN)
    kept = begin
    for lot in (notes[:cut], notes[cut:]):  # each lot joined by itself, then written
        if lot:
            whole = lot[0]
            for note in lot[1:]:
                whole = whole.then(note)
            kept = replace(kept.then(whole), failures=contacts._kept(kept.then(whole).failures), was_empty=False)  # as a row has it
    for stage in ("pull", "push"):
        codes = [code for name, code in seen if name == stage]
        row = next((n for n, code in enumerate(reversed(codes)) if code is None), len(codes))
        last = next((code for code in reversed(codes) if code), None)
        assert (kept.failures.get(stage, {"code": None, "count": 0})["code"], kept.failures.get(stage, {"count": 0})["count"]) == (last, row)
    since = next((n for n in range(len(held)) if all(held[n:])), None)
    assert kept.held_since == (None if since is None else BEGUN + timedelta(minutes=since))


