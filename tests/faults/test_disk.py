"""A disk that is full, or does not take what it is given (F3, F4, F5): nothing is acknowledged that is not stored, the
answers say so, reading goes on, and nobody has to restart anything when there is room again."""

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.audit import faults_of, words_of
from tests.faults.phones import Photographer, Pusher
from tests.faults.rig import Place, Server, serving
from tests.journeys.stage import until

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root; RLIMIT_FSIZE stands in")
NEEDS_STRACE = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not on this machine: no EIO")
TMPFS = 'mount -t tmpfs -o size={size} tmpfs {at} && {then} exec "$@"'


def on_small_disk(at: Path, size: str, keep: Path | None = None) -> list[str]:
    """A command prefix: `at` lies on a disk of its own of `size`, seen by the server (and by /proc/PID/root) alone;
    what `keep` holds is copied onto it first."""
    then = f"cp -a {keep}/. {at} &&" if keep else ""
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", TMPFS.format(size=size, at=at, then=then), "sh"]


def inside(server: Server, path: Path) -> Path:
    """A path as the server sees it, from outside its mounts."""
    assert server.process is not None
    return Path(f"/proc/{server.process.pid}/root{path}")


def fill(folder: Path) -> Path:
    """Take every byte that is left."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def ready(server: Server) -> tuple[int, str]:
    status, answer = server.json("GET", "/readyz")
    return status, answer.get("detail", "")


def until_full(pusher: Pusher, limit: int = 400) -> bytes:
    """Push until one push is refused; its bytes."""
    for _ in range(limit):
        request = pusher.batch(40)
        status, answer = pusher.send(request)
        if status != 200 or answer["stopped"]:
            return request
    raise AssertionError("the disk was never full")


def spoken_of(server: Server, pusher: Pusher, request: bytes) -> None:
    """What a full disk of the database sounds like, and what goes on."""
    status, headers, _ = server.ask("POST", "/sync/v1/push", request, pusher.headers)
    assert status in (503, 507) and int(headers["Retry-After"]) >= 1 and "problem+json" in headers["Content-Type"]
    assert ready(server)[0] == 503 and server.json("GET", "/healthz")[0] == 200
    status, page = server.json("POST", "/sync/v1/pull", {"proto": 1}, pusher.token)
    assert status == 200 and page["rows"], "reading must go on"


@NEEDS_ROOT
def test_f3_a_full_disk_under_sqlite_is_said_reading_goes_on_and_room_heals_it_without_a_restart(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    place, kept = place_of("sqlite"), tmp_path / "kept"
    place.more["HUYUAN_MIN_FREE_BYTES"] = "0"
    code = place.code(1)  # SQLite would follow /proc/PID/root back to our own disk: what is asked of it is asked here
    shutil.copytree(place.folder, kept)
    server = Server(place)
    server.log = tmp_path / "server.log"
    try:
        server.start(before=on_small_disk(place.folder, "24m", kept))
        disk = inside(server, place.folder)
        request = {"code": code, "install_id": "install-full", "app": "faults/1", "proto": 1}
        pusher = Pusher.of(place, server, 1, server.json("POST", "/sync/v1/enrol", request)[1])
        pusher.insist(pusher.batch(40))
        filler = fill(disk)
        refused = until_full(pusher)
        spoken_of(server, pusher, refused)
        acked = set(pusher.acks)
        filler.unlink()
        assert until(lambda: ready(server)[0] == 200)
        pusher.insist(refused)
        assert acked < set(pusher.acks) == set(pusher.recorded)
        for name in ("huyuan.db", "huyuan.db-wal"):
            shutil.copy(disk / name, place.folder / name)
    finally:
        server.end()
    assert faults_of(place, pusher.acks) == [] and words_of(server) == []


def test_f3_files_that_may_not_grow_are_told_as_full_and_room_heals_it(
    place_of: Callable[[str], Place],
) -> None:
    place = place_of("sqlite")
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        pusher.insist(pusher.batch(40))
        size = (place.folder / "huyuan.db-wal").stat().st_size
        worker = server.workers[0].pid
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        request = until_full(pusher)
        spoken_of(server, pusher, request)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert until(lambda: ready(server)[0] == 200)
        pusher.insist(request)
        assert set(pusher.acks) == set(pusher.recorded)
        assert words_of(server) == []
    assert faults_of(place, pusher.acks) == []


@NEEDS_ROOT
def test_f4_a_full_disk_of_photos_keeps_what_arrived_tells_the_true_offset_and_ops_go_on(place: Place) -> None:
    place.more["HUYUAN_MIN_FREE_BYTES"] = "0"
    server, photos = Server(place), place.folder / "photos"
    photos.mkdir(exist_ok=True)
    try:
        server.start(before=on_small_disk(photos, "2m"))
        pusher, disk = Pusher.enrol(place, server), inside(server, photos)
        one = Photographer(pusher.token, "full")
        one.data += bytes(800_000)  # a photo has what it has behind its end
        one.rename()
        url = one.create(server.ask)
        filler = fill(disk)
        os.truncate(filler, filler.stat().st_size - 300_000)
        status, headers, _ = one.patch(server.ask, url, 0, one.data)
        assert status == 507 and int(headers["Retry-After"]) >= 1
        at = one.offset(server.ask, url)
        assert 0 < at < 320_000 and (disk / "incoming" / url.rpartition("/")[2]).read_bytes()[:at] == one.data[:at]
        pusher.insist(pusher.batch(10))
        another = Photographer(pusher.token, "another")
        with pytest.raises(AssertionError, match="507"):
            another.create(server.ask)
        filler.unlink()
        one.bring(server.ask)
        another.bring(server.ask)
        assert words_of(server) == []
        shutil.copytree(disk, photos, dirs_exist_ok=True)
    finally:
        server.end()
    assert faults_of(place, pusher.acks, {one.sha, another.sha}) == []


@NEEDS_ROOT
def test_f4_no_upload_is_begun_below_the_floor_of_free_disk(place_of: Callable[[str], Place]) -> None:
    place = place_of("sqlite")
    place.more["HUYUAN_MIN_FREE_BYTES"] = str(2**60)
    server = Server(place)
    server.ready_path = "/healthz"
    try:
        server.start()
        assert ready(server) == (503, "storage_full")
        pusher = Pusher.enrol(place, server)
        with pytest.raises(AssertionError, match="507"):
            Photographer(pusher.token, "floor").create(server.ask)
        pusher.insist(pusher.batch(3))
    finally:
        server.end()


@NEEDS_STRACE
def test_f5_a_disk_that_fails_to_sync_acknowledges_nothing_that_is_not_stored(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    place, trace = place_of("sqlite"), tmp_path / "trace"
    inject = "inject=fdatasync,fsync:error=EIO:when=6+6"  # of every thread from its 6th on every sixth
    command = ["strace", "-D", "-f", "-qq", "-e", "trace=fdatasync,fsync", "-e", inject, "-e", "signal=none"]
    server = Server(place)
    try:
        server.start(before=[*command, "-o", str(trace)])
        pusher = Pusher.enrol(place, server)
        photos = [Photographer(pusher.token, f"eio{n}") for n in range(3)]
        for _ in range(20):
            pusher.insist(pusher.batch(5))
        for one in photos:
            insist_on(one, server)
        assert "EIO" in trace.read_text() and {200, 503} <= set(pusher.statuses) <= {200, 503, 507}
        assert words_of(server) == []
    finally:
        server.end()
    assert set(pusher.acks) == set(pusher.recorded)
    assert faults_of(place, pusher.acks, {one.sha for one in photos}) == []


def insist_on(one: Photographer, server: Server, tries: int = 60) -> None:
    """Bring a photo up however often a step of it is refused as trouble."""
    for _ in range(tries):
        try:
            one.bring(server.ask)
        except AssertionError as refused:
            assert any(f"({code}," in str(refused) for code in (503, 507)), refused
        else:
            return
    raise AssertionError("the photo never got through")


def test_f3_a_full_disk_of_postgresql_is_said_and_room_heals_it_without_a_restart(
    place_of: Callable[[str], Place],
) -> None:
    place = place_of("postgres")
    assert place.cluster is not None
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        pusher.insist(pusher.batch(20))
        with place.cluster.connect(place.name) as line:  # its own word for it, from where every op must pass
            line.execute("""CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$""")
            line.execute(
                "CREATE TRIGGER full_disk BEFORE UPDATE ON commit_clock FOR EACH ROW EXECUTE FUNCTION full_disk()"
            )
            request = pusher.batch(20)
            assert pusher.send(request)[0] == 507
            spoken_of(server, pusher, request)
            line.execute("DROP TRIGGER full_disk ON commit_clock")
        assert until(lambda: ready(server)[0] == 200)
        pusher.insist(request)
        assert words_of(server) == []
    assert faults_of(place, pusher.acks) == []
