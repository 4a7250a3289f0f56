"""Count and sum of every bucket: right by construction, kept per last change, healed on the device, told to a person
where no reset heals (P43, P44, I23)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update

from backend.database import snapshot
from backend.feed import pages
from backend.feed.log import signed
from backend.feed.models import FeedRow
from backend.now import now_utc
from backend.sync.compaction import compact
from backend.sync.models import Divergence
from sync_protocol import checks, doubts
from tests.pull.ground import Ground, held, settle

SITES = {f"s{n:03}": ("1a", "小学（示例）") for n in range(12)}
HOME = "district:1a"


@pytest.fixture(scope="module")
def peopled(town: Ground) -> Ground:
    town.load(SITES)
    town.person("ann", "1/1a")
    return town


def server_checks(town: Ground, *buckets: str, types: tuple[str, ...] = ("site", "area")) -> dict[str, Any]:
    epoch = "".join(row.epoch for row in town.look(text("SELECT epoch FROM server_meta")))
    with town.app.app_context(), snapshot() as session:
        return pages.checks(session, epoch, list(buckets), types, pages.horizons(session, buckets))


def by_hand(town: Ground, bucket: str, types: tuple[str, ...] = ("site", "area")) -> tuple[int, str]:
    rows = town.look(select(FeedRow.type, FeedRow.id, FeedRow.ver).where(FeedRow.bucket == bucket, FeedRow.is_member))
    return checks.check([tuple(row) for row in rows if row.type in types])


def harm(phone: Any, how: str) -> str:
    """A fault of the device: lose a row, make one up, have one of another version, keep one too few of its bucket."""
    with phone.store.change() as state:
        key = min(k for k in state["base"] if k.startswith("site:"))
        if how == "lose":
            del state["base"][key], state["memb"][key]
        elif how == "ghost":
            state["base"]["site:ghost"] = {**state["base"][key], "data": {}}
            state["memb"]["site:ghost"] = [HOME]
        elif how == "leave":
            state["memb"][key] = ["district:elsewhere"]
        else:
            state["base"][key]["ver"] += {"newer": 9, "older": -1}[how]
    return str(key)


def test_p43_the_sum_survives_numbers_of_either_sign() -> None:
    for word in (0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
        assert signed(word) % (1 << 64) == word and -(1 << 63) <= signed(word) < 1 << 63


def test_p43_the_database_sums_what_the_device_sums(peopled: Ground) -> None:
    for sites in (SITES, SITES | {"s000": ("1b", "小学（示例）"), "s001": ("1a", "改名小学（示例）")}, SITES):
        peopled.load(sites)
        for bucket in (HOME, "district:1b", "global", "district:1c"):
            assert server_checks(peopled, bucket)[bucket] == by_hand(peopled, bucket)
    assert server_checks(peopled, "nobody")["nobody"] == (0, "0" * 16)


def test_p43_every_row_of_the_feed_has_its_weight_and_one_version_an_entity(peopled: Ground) -> None:
    rows = peopled.look(select(FeedRow.__table__))
    assert rows
    vers: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        assert row.h == signed(checks.weight(row.type, row.id, row.ver))
        if row.is_member:
            vers.setdefault((row.type, row.id), set()).add(row.ver)
    assert all(len(found) == 1 for found in vers.values())


def test_p43_sums_are_read_from_the_index_alone(peopled: Ground) -> None:
    if peopled.app.extensions["config"].is_sqlite:
        words = {"b": HOME, "t": "site"}
        asked = "SELECT count(*), sum(h & 1) FROM feed_rows WHERE bucket = :b AND type = :t AND is_member"
        plan = peopled.look(text(f"EXPLAIN QUERY PLAN {asked}").bindparams(**words))
        assert any("COVERING INDEX ix_feed_rows_position" in row[-1] for row in plan), plan


def test_a_page_is_an_index_range_in_each_bucket(peopled: Ground) -> None:
    if peopled.app.extensions["config"].is_sqlite:
        words = {"b0": HOME, "c0": 0, "s0": -1, "b1": "global", "c1": 3, "s1": 5, "most": 501}
        plan = [row[-1] for row in peopled.look(text(f"EXPLAIN QUERY PLAN {pages._page_of(2)}").bindparams(**words))]
        assert sum("USING INDEX ix_feed_rows_position (bucket=? AND (clock,sub)>(?,?))" in step for step in plan) == 2, plan


@pytest.mark.parametrize("how", ["lose", "ghost", "leave", "newer", "older"])
def test_i23_one_reset_heals_whatever_the_device_got_wrong(peopled: Ground, home: Path, how: str) -> None:
    phone = peopled.phone("ann", home)
    settle(phone)
    before = held(phone, "site")
    op = phone.record("inspection.submit", ("inspection", "i-0000-0001"), {"nonsense": True})
    harm(phone, how)
    assert held(phone, "site") != before or how == "leave"
    assert phone.pull() is True and phone.store.state("doubts")["doubts"][HOME]["n"] == 1
    settle(phone, limit=5)
    assert (held(phone, "site"), phone.store.state("doubts")["doubts"]) == (before, {})
    assert [kept["op"] for kept in phone.store.state("outbox")["outbox"]] == [op], "the outbox is nobody's business"
    phone.close()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(how=st.sampled_from(["lose", "ghost", "newer"]), limit=st.integers(1, 9), kills=st.integers(0, 6))
def test_i13_i23_a_reset_killed_at_any_page_heals_all_the_same(
    peopled: Ground, tmp_path_factory: pytest.TempPathFactory, how: str, limit: int, kills: int
) -> None:
    home = tmp_path_factory.mktemp("phone")
    phone = peopled.phone("ann", home)
    settle(phone)
    before = held(phone, "site")
    harm(phone, how)
    phone.pull()
    for _ in range(kills):
        phone.pull(limit)
        phone.close()
        phone = peopled.again(home)
    settle(phone, limit=limit)
    assert (held(phone, "site"), phone.store.state("doubts")["doubts"]) == (before, {})
    phone.close()


@pytest.mark.answers("downloads.digest", 200)
def test_p44_a_difference_that_no_reset_heals_is_told_with_its_ids_once(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)
    settle(phone)
    weight = {row.id: row.h for row in peopled.look(select(FeedRow.id, FeedRow.h).where(FeedRow.bucket == HOME, FeedRow.type == "site"))}
    mine = (FeedRow.bucket == HOME, FeedRow.type == "site")
    peopled.alter(update(FeedRow).where(*mine, FeedRow.id == "s003").values(h=5))  # the server's sums are wrong now
    peopled.load(SITES | {"s004": ("1a", "又改名小学（示例）")})
    for _ in range(12):
        phone.pull()
    assert phone.store.state("doubts")["doubts"][HOME]["n"] >= doubts.MOST
    asked = [path for _, path, _, _ in phone.transport.seen if path.endswith("/digest")]
    assert len(asked) == 3, "parts, members, report; and not again"
    mine_alone = select(Divergence.__table__).where(Divergence.replica == phone.store.state()["replica"])
    (told,) = peopled.look(mine_alone)
    assert (told.bucket, told.user_id, told.differing) == (HOME, "u-ann", {"missing": [], "extra": [], "other": []})
    assert told.here != told.there and told.here[0] == told.there[0] == len(weight)
    settle(phone)
    assert len(peopled.look(mine_alone)) == 1
    peopled.alter(update(FeedRow).where(*mine, FeedRow.id == "s003").values(h=weight["s003"]))
    peopled.load(SITES)
    settle(phone)
    assert phone.store.state("doubts")["doubts"] == {} and held(phone, "site") == peopled.truth({HOME})
    phone.close()


def test_p44_parts_and_members_lead_to_the_ids_that_differ(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)
    settle(phone)
    key = harm(phone, "lose").partition(":")[2]
    with phone.store.change() as state:
        state["base"]["site:ghost"], state["memb"]["site:ghost"] = state["base"]["site:s005"], [HOME]
        state["base"]["site:s007"]["ver"] += 3
        ver = state["base"]["site:s007"]["ver"]
        state["doubts"] = {HOME: {"n": doubts.MOST, "is_asked": False, "is_told": False, "here": [1, "0" * 16], "there": [2, "f" * 16]}}
    count = len(peopled.look(select(Divergence.__table__)))
    phone.puller.report(phone.store.state())
    told = peopled.look(select(Divergence.__table__).order_by(Divergence.n.desc()))[0]
    ver_of = dict(peopled.look(select(FeedRow.id, FeedRow.ver).where(FeedRow.bucket == HOME, FeedRow.type == "site")))
    assert told.differing == {
        "missing": [["site", key, ver_of[key]]], "extra": [["site", "ghost", ver_of["s005"]]],
        "other": [["site", "s007", ver, ver_of["s007"]]],
    }  # fmt: skip
    phone.puller.report({**phone.store.state(), "doubts": {HOME: {"n": 9, "is_told": False, "here": [1, "0" * 16], "there": [2, "f" * 16]}}})
    assert len(peopled.look(select(Divergence.__table__))) == count + 1, "told twice, kept once (I20)"
    phone.close()


@pytest.mark.answers("downloads.digest", 404, 422)
def test_p44_a_bucket_of_others_does_not_exist_and_nonsense_is_refused(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)

    def ask(**body: Any) -> int:
        data = json.dumps(body).encode()
        return int(phone.transport.raw("POST", "/sync/v1/digest", data, phone.transport.headers())[0])

    good = {"as_of": 1, "here": [1, "0" * 16], "there": [1, "0" * 16]}
    assert ask(bucket="district:1b") == 404
    for wrong in ({"bucket": 5}, {"bucket": HOME, "parts": [256]}, {"bucket": HOME, "parts": [True]}, {"bucket": HOME, "report": {}},
                  {"bucket": HOME, "report": good | {"missing": [["site"] * 3]}}, {"bucket": HOME, "report": good | {"here": [1, "z"]}},
                  {"bucket": HOME, "report": good | {"extra": [["site", "x", 1]] * 201}}):  # fmt: skip
        assert ask(**wrong) == 422, wrong
    assert ask(bucket=HOME, parts=[], replica="r", report=good) == 200
    phone.close()


def test_p43_kept_sums_are_not_kept_past_a_change_or_a_compaction(peopled: Ground) -> None:
    with_one_more = SITES | {"s900": ("1a", "小学（示例）")}
    for sites in (SITES, with_one_more, with_one_more | {"s900": ("1b", "小学（示例）")}):
        peopled.load(sites)
        assert server_checks(peopled, HOME)[HOME] == by_hand(peopled, HOME)
    with peopled.app.app_context():
        assert compact(now_utc() + timedelta(days=1))["forgotten"] > 0
    assert server_checks(peopled, HOME)[HOME] == by_hand(peopled, HOME)
    weight = signed(checks.weight("patrol", "p1", 1))
    peopled.alter(insert(FeedRow).values(bucket=HOME, type="patrol", id="p1", clock=0, sub=0, is_member=True, ver=1, h=weight))
    assert server_checks(peopled, HOME)[HOME] == by_hand(peopled, HOME), "a type that the device does not read is not summed"
    peopled.alter(delete(FeedRow).where(FeedRow.type == "patrol"))
