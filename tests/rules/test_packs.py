"""Held here: what a programme pack must be, and that the shipped ones are. No database, no app."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.packs import shipped_city, shipped_packs
from backend.programmes.packs import BadPack, check_body, check_pack, pack_from_body, read_pack
from backend.territory.city_files import read_city

CAMPUS, FIRE = shipped_packs()


@pytest.fixture(scope="module")
def bodies() -> dict[str, Any]:
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (CAMPUS, FIRE)}


@pytest.fixture()
def body(bodies: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(bodies[CAMPUS.name])


def _written(folder: Path, body: Any) -> Path:
    path = folder / "pack.yaml"
    path.write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")
    return path


def test_shipped_packs_are_sound_and_name_only_departments_that_the_city_has() -> None:
    departments = frozenset(row["id"] for row in read_city(shipped_city()).departments)
    assert [check_pack(path, departments) for path in (CAMPUS, FIRE)] == [[], []]


def test_shipped_packs_hold_the_51_and_the_45_items_in_order() -> None:
    campus, fire = read_pack(CAMPUS), read_pack(FIRE)
    assert (campus.programme, len(campus.items), campus.items[0].code, campus.items[-1].code) == (
        "campus-perimeter", 51, "A101", "A706")  # fmt: skip
    assert (fire.programme, len(fire.items), fire.items[0].code, fire.items[-1].code) == (
        "fire-hazard", 45, "B101", "B902")  # fmt: skip
    for pack in (campus, fire):
        assert [item.code for item in pack.items] == sorted(pack.codes)
        assert all(item.code.startswith(item.section) for item in pack.items)


def test_only_the_national_internet_cafe_rule_is_on_and_every_local_one_is_off() -> None:
    rules = read_pack(CAMPUS).distance_rules
    assert [(rule.id, rule.metres, rule.basis["article"]) for rule in rules if rule.enabled] == [
        ("internet_cafe", 200, "第9条")
    ]
    assert {rule.scope.split(":")[0] for rule in rules if not rule.enabled} <= {"local", "standard"}


def test_a_law_in_abbreviation_or_a_reference_to_the_row_above_is_no_basis(bodies: dict[str, Any]) -> None:
    titles = {row["title"] for body in bodies.values() for item in body["items"] for row in item["basis"]}
    assert not [title for title in titles if title.endswith("-") or "同上" in title or "条例1" in title]
    assert not titles & {"未保法", "道交法", "上网条例", "校车条例", "九小", "检查规定"}


def test_direct_elements_of_the_fire_standard_are_candidates_for_major_and_nothing_else_is() -> None:
    fire = read_pack(FIRE)
    direct = {item.code for item in fire.items if item.element == "D"}
    assert direct == {"B203", "B404", "B501", "B801", "B802", "B803", "B804"}
    assert direct == {item.code for item in fire.items if item.grade == "candidate_major"}
    assert direct == {item.code for item in fire.items if item.deadline == "major"}


def test_where_the_unit_itself_is_charged_the_fire_line_sees_to_it() -> None:
    charged = [item for item in read_pack(FIRE).items if item.unit_duty]
    assert len(charged) > 10
    assert {item.lead for item in charged} == {"fire"}


def test_a_deadline_without_a_law_behind_it_says_that_the_city_confirms_it(bodies: dict[str, Any]) -> None:
    for body in bodies.values():
        unfounded = [row for row in body["deadline_classes"].values() if row["basis"] is None]
        assert unfounded and all(row["city_confirms"] and row["note"] for row in unfounded)


def test_every_text_for_people_is_there_in_both_languages(bodies: dict[str, Any]) -> None:
    for body in bodies.values():
        for item in body["items"]:
            assert any("\u4e00" <= char <= "\u9fff" for char in item["text"]["zh"]), item["code"]
            assert not any("\u4e00" <= char <= "\u9fff" for char in item["text"]["en"]), item["code"]


def test_a_pack_built_again_from_its_stored_body_is_the_same_pack() -> None:
    for path in (CAMPUS, FIRE):
        pack = read_pack(path)
        shuffled = dict(reversed(list(pack.body.items())))
        assert pack_from_body(shuffled).digest == pack.digest
        assert pack_from_body(pack.body) == pack


def test_a_changed_word_changes_the_digest(body: dict[str, Any]) -> None:
    before = pack_from_body(body).digest
    body["items"][0]["text"]["en"] += "."
    assert pack_from_body(body).digest != before


def test_an_unquoted_date_reads_like_a_quoted_one(tmp_path: Path) -> None:
    text = CAMPUS.read_text(encoding="utf-8").replace("'2026-03-01'", "2026-03-01")
    path = tmp_path / "pack.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_pack(path).digest == read_pack(CAMPUS).digest


def test_a_disabled_item_is_not_asked(body: dict[str, Any]) -> None:
    body["items"][0]["enabled"] = False
    pack = pack_from_body(body)
    assert "A101" not in pack.codes and len(pack.items) == 50


def _set(*steps: Any) -> Any:
    """A change that writes the last of `steps` to the place that the others name."""

    def change(body: Any) -> None:
        *way, last, value = steps
        for step in way:
            body = body[step]
        body[last] = value

    return change


FAULTS = [
    (_set("items", 3, "section", "A9"), "/items/3/section", "unknown section 'A9'"),
    (_set("items", 3, "category", "none"), "/items/3/category", "unknown category 'none'"),
    (_set("items", 3, "deadline", "never"), "/items/3/deadline", "unknown deadline 'never'"),
    (_set("items", 3, "parameter", "moon"), "/items/3/parameter", "unknown parameter 'moon'"),
    (_set("items", 3, "code", "A101"), "/items/3/code", "A101 is given twice"),
    (_set("items", 3, "lead", "navy"), "/items/3/lead", "unknown department 'navy'"),
    (_set("items", 3, "supporting", ["navy"]), "/items/3/supporting", "unknown department 'navy'"),
    (_set("items", 3, "text", {"zh": "门"}), "/items/3/text", '"en" is a required property'),
    (_set("items", 3, "text", "en", ""), "/items/3/text/en", "shorter than 1"),
    (_set("items", 3, "basis", []), "/items/3/basis", "less than 1 item"),
    (_set("items", 3, "surprise", 1), "/items/3", "'surprise' was unexpected"),
    (_set("distance_rules", 1, "valid_to", "2025-01-01"), "/distance_rules/1/valid_to", "ends before"),
    (_set("distance_rules", 1, "valid_to", "2026-02-30"), "/distance_rules/1/valid_from", "no such day"),
    (_set("distance_rules", 1, "variant_of", "moon"), "/distance_rules/1/variant_of", "unknown distance"),
    (_set("distance_rules", 1, "metres", 0), "/distance_rules/1/metres", "less than or equal to the minimum"),
    (_set("valid_from", "2026-13-01"), "/valid_from", "no such day"),
    (_set("version", 0), "/version", "less than the minimum"),
]


@pytest.mark.parametrize(("change", "pointer", "reason"), FAULTS)
def test_a_fault_is_named_with_its_place(
    change: Any, pointer: str, reason: str, body: dict[str, Any], tmp_path: Path
) -> None:
    departments = frozenset(d for item in body["items"] for d in (item["lead"], *item["supporting"]))
    change(body)
    problems = check_pack(_written(tmp_path, body), departments)
    assert [(p.pointer, reason in p.reason) for p in problems] == [(pointer, True)], problems
    assert problems[0].line is not None


def test_the_line_of_a_fault_is_the_line_in_the_file(tmp_path: Path) -> None:
    text = CAMPUS.read_text(encoding="utf-8").replace("category: traffic", "category: trafic", 1)
    path = tmp_path / "pack.yaml"
    path.write_text(text, encoding="utf-8")
    wrong = next(n for n, line in enumerate(text.splitlines(), 1) if "category: trafic" in line)
    assert [p.line for p in check_pack(path)] == [wrong]


def test_a_duty_rule_for_an_item_that_is_not_there_is_a_fault(body: dict[str, Any]) -> None:
    duty = {"id": "d1", "version": 1, "valid_from": "2026-03-01", "valid_to": None, "match": {"item": "Z999"},
            "lead": "fire", "supporting": []}  # fmt: skip
    body["duty_rules"] = [duty]
    assert check_body(body) == [(("duty_rules", 0, "match", "item"), "unknown item 'Z999'")]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: [", b"- 1", b"", b"&a [*a]"])
def test_a_file_that_is_no_pack_is_refused_and_not_raised_through(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pack.yaml"
    path.write_bytes(content)
    assert check_pack(path)
    with pytest.raises(BadPack) as refused:
        read_pack(path)
    assert refused.value.problems


def test_a_missing_file_is_a_problem_of_that_file(tmp_path: Path) -> None:
    assert [p.path for p in check_pack(tmp_path / "absent.yaml")] == ["absent.yaml"]
