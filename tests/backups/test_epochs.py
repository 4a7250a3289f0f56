"""A new epoch: begun once however many notice, in the record like everything else; what replicas' heads are
made of."""

import threading

import pytest
from sqlalchemy import select

from backend.access.scope import SYSTEM
from backend.config import Config
from backend.database import snapshot
from backend.errors import Problem
from backend.feed.log import epochs as histories
from backend.feed.log import meta
from backend.journal import book
from backend.now import now_utc
from backend.ops import epochs
from backend.ops.apply import submit
from backend.sync.models import ReplicaStep
from sync_protocol import replica
from tests.backups.grounds import Phone, opened


def standing() -> tuple[str, list[str]]:
    """(the present epoch, all epochs in order)."""
    with snapshot() as session:
        return meta(session, SYSTEM).epoch, [e.epoch for e in histories(session, SYSTEM)]


def test_a_new_database_lives_in_one_history(ground: Config) -> None:
    with opened(ground):
        epoch, lived = standing()
        assert lived == [epoch]


def test_a_new_epoch_is_an_op_in_log_and_journal_and_the_devices_of_the_old_one_are_told(
    ground: Config,
) -> None:
    with opened(ground) as app:
        phone, (was, _) = Phone(), standing()
        made = epochs.begin("test", {"why": "演练"}, now_utc(), lambda _: True)
        assert standing() == (made, [was, made])
        with snapshot() as session:
            assert list(book.verify(session)) == []
        phone.report()
        with pytest.raises(Problem) as told:
            phone.push(app)
        assert (told.value.code, told.value.extra) == ("epoch_changed", {"epoch": made})


def test_nothing_begins_where_it_is_no_longer_so(ground: Config) -> None:
    with opened(ground):
        before = standing()
        assert epochs.begin("test", {}, now_utc(), lambda _: False) is None
        assert standing() == before


def test_of_many_that_notice_at_once_one_begins(ground: Config) -> None:
    with opened(ground) as app:
        was, _ = standing()
        made: list[str | None] = []
        begin = threading.Barrier(6)

        def notice() -> None:
            with app.app_context():
                begin.wait()
                made.append(epochs.begin("test", {}, now_utc(), lambda s: meta(s, SYSTEM).epoch == was))

        threads = [threading.Thread(target=notice) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([m for m in made if m]) == 1 and len(made) == 6
        assert standing()[1] == [was, next(m for m in made if m)]


def test_only_the_server_itself_begins_an_epoch_or_says_what_is_durable(ground: Config) -> None:
    with opened(ground) as app:
        phone = Phone()
        args = {"epoch": "a-history", "clock": 1, "reason": "test", "detail": {}}
        phone.record("epoch.begin", ("server", "a-history"), args)
        (result,) = phone.push(app)["results"]
        assert (result["status"], result["reason"]) == ("parked", "forbidden")


def test_what_is_durable_never_moves_back_and_not_across_epochs(ground: Config) -> None:
    with opened(ground):
        epoch, _ = standing()
        args = {"epoch": epoch, "clock": 7, "journal_n": 7, "journal_hash": "0" * 64, "sha256": "0" * 64}
        submit("backup.note", args, SYSTEM, ent=("backup", "b1"))
        assert submit("backup.note", {**args, "clock": 3}, SYSTEM, ent=("backup", "b0")).status == "noop"
        with pytest.raises(Problem):
            submit("backup.note", {**args, "clock": 9, "epoch": "another-one"}, SYSTEM, ent=("backup", "b2"))
        with snapshot() as session:
            assert meta(session, SYSTEM).durable_clock == 7


def test_a_duplicate_that_moves_a_head_leaves_its_step_and_one_that_does_not_leaves_none(
    ground: Config,
) -> None:
    with opened(ground) as app:
        phone = Phone()
        first, second = phone.report("A213"), phone.report("A107")
        sent = replica.wire(phone.state, 9)
        phone.push(app)
        again = Phone("r-2")
        for op_id, op in zip((first, second), sent, strict=True):
            replica.record(again.state, op_id, op["body"], "finding:x")
        again.push(app)
        with app.app_context(), snapshot() as session:
            steps = session.execute(select(ReplicaStep.replica, ReplicaStep.seq, ReplicaStep.op_id)).all()
            assert [tuple(step) for step in steps] == [("r-2", 1, first), ("r-2", 2, second)]
        resent = Phone("r-1")
        resent.state["outbox"] = [
            {"seq": op["seq"], "prev": op["prev"], "body": op["body"], "op": "x", "ent": "x"} for op in sent
        ]
        assert [r["dup"] for r in resent.push(app)["results"]] == [True, True]
        with snapshot() as session:
            assert len(session.execute(select(ReplicaStep)).all()) == 2
