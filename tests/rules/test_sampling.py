"""The draw (backend/sampling/rules.py): the same seed and list make the same sample anywhere; who acted does not judge."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.sampling import rules

IDS = st.lists(st.text("abcdef0123456789-", min_size=1, max_size=12), min_size=1, max_size=40, unique=True)
PEOPLE = ["u-1", "u-2", "u-3"]


def members(ids: list[str], dice: Any) -> list[dict[str, Any]]:
    return [{"id": i, "stratum": dice.draw(st.sampled_from("abc")), "barred": dice.draw(st.lists(st.sampled_from(PEOPLE), max_size=3))} for i in ids]


@given(ids=IDS, seed=st.text("0123456789abc", min_size=6, max_size=20), percent=st.integers(1, 100), dice=st.data())
def test_any_order_makes_the_same_draw_of_each_stratum_its_part_and_nobody_judges_their_own(ids: list[str], seed: str, percent: int, dice: Any) -> None:
    population = members(ids, dice)
    told = rules.published(seed, percent, population, PEOPLE)
    again = rules.published(seed, percent, dice.draw(st.permutations(population)), dice.draw(st.permutations(PEOPLE)))
    assert told == again and rules.faults(json.loads(json.dumps(told))) == []
    by_id = {m["id"]: m for m in population}
    for stratum in {m["stratum"] for m in population}:
        size = sum(m["stratum"] == stratum for m in population)
        assert sum(row["stratum"] == stratum for row in told["drawn"]) == -(-size * percent // 100) >= 1
    for row in told["drawn"]:
        barred = set(by_id[row["id"]]["barred"])
        assert row["inspector"] not in barred and (row["inspector"] is None) == (barred >= set(PEOPLE))


def test_the_draw_is_what_the_method_says_by_hand() -> None:
    population = [{"id": name, "stratum": "s", "barred": []} for name in ("p-1", "p-2", "p-3", "p-4")]
    told = rules.published("20261124", 50, population, ["u-1", "u-2"])
    lowest = sorted(hashlib.sha256(f"20261124|{m['id']}".encode()).hexdigest() + m["id"] for m in population)[:2]
    assert [row["id"] for row in told["drawn"]] == sorted(word[64:] for word in lowest)
    for row in told["drawn"]:
        assert row["inspector"] == min(("u-1", "u-2"), key=lambda who: hashlib.sha256(f"20261124|{row['id']}|{who}".encode()).hexdigest())


def test_another_seed_draws_otherwise_and_every_member_is_drawn_about_as_often() -> None:
    population = [{"id": f"p-{n}", "stratum": "s", "barred": []} for n in range(20)]
    times = dict.fromkeys((m["id"] for m in population), 0)
    for seed in range(400):
        for row in rules.draw(f"seed-{seed}", 25, population, PEOPLE):
            times[row["id"]] += 1
    assert sum(times.values()) == 400 * 5 and all(60 <= n <= 140 for n in times.values()), times


@pytest.mark.parametrize("spoil", [
    lambda told: told["drawn"].pop(), lambda told: told.update(seed="other-seed"), lambda told: told["population"].pop(),
    lambda told: told["drawn"][0].update(inspector="u-9"), lambda told: told.update(digest="0" * 64), lambda told: told["population"].reverse(),
    lambda told: told.update(method="by hand"),
])  # fmt: skip
def test_what_was_altered_no_longer_verifies_on_a_machine_without_a_database(spoil: Any, tmp_path: Path) -> None:
    population = [{"id": f"p-{n}", "stratum": "s", "barred": []} for n in range(30)]
    told = rules.published("20261124", 20, population, PEOPLE)
    assert rules.faults(told) == []
    spoil(told)
    assert rules.faults(told) != []


def test_the_command_verifies_a_file_without_settings_or_database(tmp_path: Path) -> None:
    told = rules.published("20261124", 20, [{"id": f"p-{n}", "stratum": "s", "barred": []} for n in range(30)], PEOPLE)
    for name, each, code in (("so", told, 0), ("not", {**told, "seed": "another"}, 1), ("odd", {"a": 1}, 1)):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(each), encoding="utf-8")
        run = [sys.executable, "-m", "backend", "sample", "verify", str(file), "--json"]
        env = {"PATH": "/usr/bin", "HUYUAN_DATABASE_URL": "nonsense"}
        done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], env=env)
        assert done.returncode == code, (name, done.stdout, done.stderr)
