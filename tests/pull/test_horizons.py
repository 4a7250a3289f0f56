"""Old removals are forgotten and the horizon says so: whoever was away for longer begins again, loses no row, keeps no
row too many and no op less (P17, P19, I13; the view's part of L7)."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from backend.accounts.models import User
from backend.feed import log as feed
from backend.feed.models import FeedHorizon, FeedRow
from backend.now import now_utc
from backend.sync.compaction import compact
from tests.pull.ground import Ground, held, settle

HOME = "district:1a"
SITES = {f"s{n:03}": ("1a", "小学（示例）") for n in range(24)}


@pytest.fixture
def peopled(town: Ground) -> Ground:
    """All sites back in their district, and the person there."""
    town.load(SITES)
    if not town.look(select(User.id).where(User.id == "u-ann")):
        town.person("ann", "1/1a")
    return town


def forget(town: Ground, **ago: float) -> dict[str, object]:
    with town.app.app_context():
        return compact(now_utc() - timedelta(**ago))


def removals(town: Ground) -> int:
    return int(town.look(select(func.count()).select_from(FeedRow).where(FeedRow.is_member.is_(False)))[0][0])


def age(town: Ground, days: float) -> None:
    """Everything that is in the journal so far happened so much earlier."""
    town.alter(text(f"UPDATE journal SET at = at - {round(days * 86_400_000)}"))


def test_p17_only_removals_that_are_old_enough_are_forgotten_and_the_horizon_moves_with_them(peopled: Ground) -> None:
    forget(peopled, days=-1)
    peopled.load({"s000": ("1b", "小学（示例）")})
    age(peopled, 200)
    peopled.load({"s001": ("1b", "小学（示例）")})
    assert removals(peopled) == 2
    old = peopled.look(select(FeedRow.clock).where(FeedRow.bucket == HOME, FeedRow.id == "s000"))[0][0]
    done = forget(peopled, days=180)
    assert (done["forgotten"], done["horizons"], removals(peopled)) == (1, {HOME: old + 1}, 1)
    assert forget(peopled, days=180)["forgotten"] == 0, "twice changes nothing"
    assert peopled.look(select(FeedHorizon.clock).where(FeedHorizon.bucket == HOME)) == [(old + 1,)]


def test_members_are_never_forgotten_however_old(peopled: Ground) -> None:
    before = peopled.truth({HOME})
    age(peopled, 4000)
    forget(peopled, days=1)
    members = peopled.look(select(FeedRow.id).where(FeedRow.bucket == HOME, FeedRow.is_member, FeedRow.type == "site"))
    assert {f"site:{i}" for (i,) in members} == set(before)


def test_many_removals_go_in_several_transactions(peopled: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "FORGET_AT_ONCE", 5)
    for n in range(12):
        peopled.load({f"s{n:03}": ("1b", f"小学{n}（示例）")})
    assert removals(peopled) >= 12
    assert forget(peopled, days=-1)["forgotten"] >= 12 and removals(peopled) == 0


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(moved=st.sets(st.integers(0, 23), max_size=12), limit=st.integers(1, 9), kills=st.integers(0, 7), again=st.booleans())
def test_i13_a_device_from_before_the_horizon_ends_with_the_exact_membership_wherever_it_is_killed(
    peopled: Ground, tmp_path_factory: pytest.TempPathFactory, moved: set[int], limit: int, kills: int, again: bool
) -> None:
    peopled.load(SITES)
    home = tmp_path_factory.mktemp("phone")
    phone = peopled.phone("ann", home)
    settle(phone)
    op = phone.record("inspection.submit", ("inspection", "i-0000-0001"), {"n": 1})
    peopled.load({f"s{n:03}": ("1b", "小学（示例）") for n in moved})
    forget(peopled, days=-1)
    for n in range(kills):
        phone.pull(limit)
        phone.close()
        phone = peopled.again(home)
        if again and n == kills // 2:  # in the middle of the reset more goes, and is forgotten
            peopled.load({"s023": ("1b", "小学（示例）")})
            forget(peopled, days=-1)
    settle(phone, limit=limit)
    assert held(phone, "site") == peopled.truth({HOME})
    assert [kept["op"] for kept in phone.store.state("outbox")["outbox"]] == [op]
    assert phone.store.state("doubts")["doubts"] == {}, "the rules alone made it right, no check had to"
    phone.close()


def test_l7_a_device_that_was_away_for_400_days_sees_what_is_and_hands_over_what_it_recorded(
    peopled: Ground, home: Path
) -> None:
    phone = peopled.phone("ann", home)
    settle(phone)
    ops = [phone.record("inspection.submit", ("inspection", f"i-{n:08}"), {"n": n}) for n in range(300)]
    phone.close()
    peopled.load({f"s{n:03}": ("1b", "搬走的小学（示例）") for n in range(10)} | {"s020": ("1a", "改名小学（示例）"), "new": ("1a", "新小学（示例）")})
    age(peopled, 400)
    assert forget(peopled, days=180)["forgotten"] >= 10 and removals(peopled) == 0
    phone = peopled.again(home)
    while not phone.push(100).is_empty:
        continue
    settle(phone)
    assert held(phone, "site") == peopled.truth({HOME})
    assert {kept["op"] for kept in phone.store.state("acked")["acked"]} == set(ops)
    assert phone.store.state("doubts")["doubts"] == {}
    phone.close()


def test_the_command_forgets_and_says_what(peopled: Ground) -> None:
    config = peopled.app.extensions["config"]
    settings = {"HUYUAN_DATA": str(config.data), "HUYUAN_DATABASE_URL": config.database_url, "HUYUAN_SECRET_KEY": config.secret_key}

    def command(days: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-m", "backend", "compact", "--days", days, "--json"]
        return subprocess.run(words, env={**os.environ, **settings}, capture_output=True, text=True, check=False)

    peopled.load({"s003": ("1b", "小学（示例）")})
    age(peopled, 200)
    done = command("180")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["forgotten"] >= 1 and removals(peopled) == 0
    assert command("0").returncode == 2, "a wrong call"
