"""A backup: one moment, whole or nothing, proven before anything may be let go; whatever is wrong with one
is named."""

import dataclasses
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from backend.access.scope import SYSTEM
from backend.backups import archive, make, proof, routine, standing, tables
from backend.backups.manifest import DATABASE, LISTING, MANIFEST, PHOTOS
from backend.backups.snapshots import reading
from backend.config import Config
from backend.database import snapshot
from backend.errors import Problem
from backend.feed.log import meta
from backend.now import now_utc
from backend.ops import epochs
from tests.backups.grounds import Phone, break_row, flip, opened, photo


@pytest.fixture
def working(sqlite: Config) -> Iterator[Flask]:
    """A server on SQLite with two photos, one of them named by a report."""
    with opened(sqlite) as app:
        phone = Phone()
        phone.report("A213", [photo(app, "one")])
        photo(app, "two")
        phone.push(app)
        yield app


def config_of(app: Flask) -> Config:
    found: Config = app.extensions["config"]
    return found


def made(app: Flask, out: Path, with_photos: bool = True) -> Path:
    return make.make(config_of(app), out, with_photos, now_utc())


def durable() -> int:
    with snapshot() as session:
        return meta(session, SYSTEM).durable_clock


def test_a_backup_proves_sound_and_says_which_moment_it_is(ground: Config, tmp_path: Path) -> None:
    with opened(ground) as app:
        phone = Phone()
        phone.report("A213", [photo(app, "one")])
        clock = phone.push(app)["results"][0]["clock"]
        path = made(app, tmp_path / "out")
        report = proof.prove(path)
        assert report["ok"], report
        assert (report["backup"]["clock"], report["backup"]["photos"]["listed"]) == (clock, 1)
        assert report["checks"]["photos"]["rows"] == 1
        phone.report("A107")
        phone.push(app)
        assert proof.prove(path)["backup"]["clock"] == clock, "what came later is not in it"


def test_both_databases_give_the_same_sums_for_the_same_record(ground: Config, tmp_path: Path) -> None:
    with opened(ground) as app:
        path = made(app, tmp_path / "out")
    with archive.opened(path) as backup, reading(backup.database) as connection:
        assert tables.sums(connection) == backup.manifest.tables
        again = tables.plain_tables(connection)
    assert {table.name for table in again} == set(backup.manifest.tables)


def test_one_tar_file_is_the_same_backup(working: Flask, tmp_path: Path) -> None:
    path = made(working, tmp_path / "all.tar")
    report = proof.prove(path)
    assert report["ok"] and report["checks"]["photos"]["rows"] == 2
    with tarfile.open(path) as tar:
        assert tar.getnames()[0] == MANIFEST
    assert path.stat().st_mode & 0o077 == 0, "as closed as the record itself"


def test_nothing_is_let_go_before_a_backup_was_proven_and_then_up_to_its_clock(
    working: Flask, tmp_path: Path
) -> None:
    made(working, tmp_path / "out")
    assert durable() == 0
    report = routine.run(config_of(working), tmp_path / "out", False, None, now_utc())
    assert report["ok"] and report["noted"]
    assert durable() == report["durable_clock"] == report["backup"]["clock"]
    last = standing.last_backup(config_of(working).data)
    assert last is not None and last["ok"] and last["clock"] == durable()


def test_a_backup_that_does_not_prove_sound_moves_nothing_and_is_named_broken(
    working: Flask, tmp_path: Path
) -> None:
    break_row(config_of(working), "UPDATE journal SET verb = 'x' WHERE n = 3")
    report = routine.run(config_of(working), tmp_path / "out", False, 1, now_utc())
    assert (report["ok"], report["broken"], report["noted"], report["removed"]) == (
        False,
        ["journal"],
        False,
        [],
    )
    assert durable() == 0
    assert [p.name[:7] for p in (tmp_path / "out").iterdir()] == ["broken-"]
    last = standing.last_backup(config_of(working).data)
    assert last is not None and not last["ok"] and last["broken"] == ["journal"]


def test_a_backup_of_another_history_moves_nothing_though_epoch_and_clock_would_fit(
    working: Flask, tmp_path: Path
) -> None:
    config = config_of(working)
    twin = tmp_path / "twin"
    path = made(working, tmp_path / "out")
    shutil.copytree(config.data, twin)
    phone = Phone("r-5")
    phone.report("A104")
    phone.push(working)
    other = dataclasses.replace(config, data=twin, database_url=f"sqlite:///{twin / 'huyuan.db'}")
    with opened(other) as there:  # the same epoch, as far on, another journal
        phone = Phone("r-6")
        phone.report("A105")
        phone.push(there)
        parted = made(there, tmp_path / "out", with_photos=False)
    assert routine.note(config, proof.prove(parted), now_utc())["noted"] is False
    assert durable() == 0
    assert routine.note(config, proof.prove(path), now_utc())["noted"] is True
    epochs.begin("test", {}, now_utc(), lambda _: True)
    later = proof.prove(path)
    assert routine.note(config, later, now_utc())["noted"] is False, "another epoch"


@pytest.mark.parametrize("part", [DATABASE, LISTING, MANIFEST, PHOTOS])
@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_flipped_byte_anywhere_is_found(working: Flask, tmp_path: Path, part: str, kind: str) -> None:
    path = made(working, tmp_path / ("all.tar" if kind == "tar" else "out"))
    if kind == "folder":
        file = path / part if part != PHOTOS else next((path / PHOTOS).glob("??/*"))
        copied = file.read_bytes()
        file.unlink()  # a name of its own: the live photo is a second name of the same bytes
        file.write_bytes(copied)
        flip(file, len(copied) // 2)
    else:
        with tarfile.open(path) as tar:
            member = next(m for m in tar if m.name.startswith(part))
        flip(path, member.offset_data + member.size // 2)
    if part == MANIFEST:
        with pytest.raises(Problem):
            proof.prove(path)
    else:
        assert proof.prove(path)["broken"] == [{PHOTOS: "photos"}.get(part, "parts")]


@pytest.mark.parametrize("left", [0.999, 0.9, 0.5, 0.01, 0.0])
def test_a_cut_archive_is_no_backup(working: Flask, tmp_path: Path, left: float) -> None:
    path = made(working, tmp_path / "all.tar")
    with open(path, "r+b") as file:
        file.truncate(int((path.stat().st_size - 10_240) * left))
    try:
        assert not proof.prove(path)["ok"]
    except Problem as refused:
        assert refused.code == "invalid"


@pytest.mark.parametrize("part", [DATABASE, LISTING, MANIFEST])
def test_a_folder_that_lacks_a_part_is_no_backup(working: Flask, tmp_path: Path, part: str) -> None:
    path = made(working, tmp_path / "out")
    (path / part).unlink()
    try:
        assert not proof.prove(path)["ok"]
    except Problem as refused:
        assert refused.code == "invalid"


def test_a_photo_that_is_missing_in_the_backup_is_told(working: Flask, tmp_path: Path) -> None:
    path = made(working, tmp_path / "out")
    next((path / PHOTOS).glob("??/*")).unlink()
    assert proof.prove(path)["broken"] == ["photos"]


def test_a_photo_that_the_disk_lacks_is_said_and_the_backup_is_made_all_the_same(
    working: Flask, tmp_path: Path
) -> None:
    lost = photo(working, "lost")
    working.extensions["photo_store"].path(lost).unlink()
    report = proof.prove(made(working, tmp_path / "out"))
    assert report["ok"]
    assert (report["backup"]["photos"]["lacking"], report["backup"]["photos"]["lacking_first"]) == (1, [lost])


def test_photos_on_one_disk_are_kept_once_and_outlive_their_deletion(working: Flask, tmp_path: Path) -> None:
    first, second = made(working, tmp_path / "out"), made(working, tmp_path / "out")
    for photo_file in working.extensions["photo_store"].folder.glob("??/????????????????*"):
        in_first, in_second = (b / PHOTOS / photo_file.parent.name / photo_file.name for b in (first, second))
        assert photo_file.stat().st_ino == in_first.stat().st_ino == in_second.stat().st_ino
        photo_file.unlink()
    shutil.rmtree(first)
    assert proof.prove(second)["ok"]


def test_on_another_disk_photos_are_copied_once(
    working: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, link = working.extensions["photo_store"].folder, os.link

    def within_one_disk(source: Path, target: Path) -> None:
        if Path(source).is_relative_to(store):
            raise OSError(18, "Invalid cross-device link")
        link(source, target)

    monkeypatch.setattr(os, "link", within_one_disk)
    first, second = made(working, tmp_path / "out"), made(working, tmp_path / "out")
    files = [sorted(p for p in (b / PHOTOS).glob("??/*")) for b in (first, second)]
    assert len(files[0]) == 2
    for one, two in zip(*files, strict=True):
        assert one.stat().st_ino == two.stat().st_ino != (store / one.parent.name / one.name).stat().st_ino


def test_a_full_disk_leaves_nothing_behind_and_doctor_hears_of_it(
    working: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "place", full)
    with pytest.raises(OSError, match="No space"):
        routine.run(config_of(working), tmp_path / "out", True, None, now_utc())
    assert list((tmp_path / "out").iterdir()) == []
    last = standing.last_backup(config_of(working).data)
    assert last is not None and not last["ok"] and "No space" in last["fault"]


def test_the_leavings_of_a_killed_backup_are_swept_and_those_of_one_at_work_are_not(
    working: Flask, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    dead = out / f"{archive.PART}dead"
    (dead / "huyuan-x").mkdir(parents=True)
    with archive.building(out) as alive:
        made(working, out)
        assert alive.is_dir() and not dead.exists()
    assert not alive.exists()


def test_only_the_newest_are_kept_and_nothing_else_is_touched(working: Flask, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "huyuan-notes").mkdir()
    (out / "readme.txt").write_text("keep me")
    now = now_utc()
    paths = [make.make(config_of(working), out, False, now + timedelta(minutes=n)) for n in range(4)]
    assert routine.prune(out, 2) == [path.name for path in paths[:2]]
    assert {p.name for p in out.iterdir()} == {"huyuan-notes", "readme.txt", paths[2].name, paths[3].name}


def test_a_manifest_of_a_newer_format_is_refused_with_its_reason(working: Flask, tmp_path: Path) -> None:
    path = made(working, tmp_path / "out")
    facts = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    (path / MANIFEST).write_text(json.dumps({**facts, "v": 2}), encoding="utf-8")
    with pytest.raises(Problem, match="v2 is no backup this program can read"):
        proof.prove(path)


def test_a_backup_of_a_newer_schema_is_refused_with_its_reason(working: Flask, tmp_path: Path) -> None:
    break_row(config_of(working), "UPDATE alembic_version SET version_num = '20991231_01'")
    path = made(working, tmp_path / "out")
    with pytest.raises(Problem, match="newer than this program"):
        proof.prove(path)


def test_where_there_is_no_database_there_is_no_backup(tmp_path: Path) -> None:
    empty = Config(
        data=tmp_path / "none", database_url=f"sqlite:///{tmp_path / 'none' / 'huyuan.db'}", secret_key="x"
    )
    with pytest.raises(Problem, match="no database"):
        make.make(empty, tmp_path / "out", False, now_utc())
    assert list((tmp_path / "out").iterdir()) == []
