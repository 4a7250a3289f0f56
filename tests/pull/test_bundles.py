"""Bundles from the store to the device: whole or not at all, resumed at the byte, only for whom they are (P45–P47)."""

import json
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.sync import bundles
from backend.sync.bundles import BundleStore, Name
from sync_protocol import bundle as lines
from sync_protocol.bundle import BadBundle, Bundle
from sync_protocol.client.codings import unpack
from sync_protocol.client.transport import Offline
from tests.pull.ground import Ground, held, settle

ROWS = [
    {"b": "b1", "t": "site", "id": f"s{n:03}", "op": "put", "ver": 1, "data": {"id": f"s{n:03}", "name": f"小学{n}（示例）"}}
    for n in range(60)
]
A_BUNDLE = Bundle("e0", "b1", 7, 2, ROWS)


def many(count: int, district: str = "1a", mark: str = "s") -> dict[str, tuple[str, str]]:
    return {f"{mark}{n:04}": (district, f"第{n}小学（示例）") for n in range(count)}


@pytest.fixture(scope="module")
def peopled(town: Ground) -> Ground:
    town.load(many(90))
    town.person("ann", "1/1a")
    town.person("bob", "1/1b")
    return town


def offers_of(phone: Any) -> dict[str, dict[str, Any]]:
    return {offer["bucket"]: offer for offer in phone.store.state("offers")["offers"]}


# ---- lines


def test_p45_a_bundle_is_read_as_it_was_written() -> None:
    assert lines.read(lines.write(A_BUNDLE)) == A_BUNDLE
    empty = Bundle("e0", "b1", 7, 2, [])
    assert lines.read(lines.write(empty)) == empty


def test_p45_a_bundle_cut_at_any_byte_is_not_taken() -> None:
    whole = lines.write(A_BUNDLE)
    for end in range(len(whole) - 1):
        with pytest.raises(BadBundle):
            lines.read(whole[:end])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_p45_a_bundle_with_one_byte_altered_is_not_taken(data: st.DataObject) -> None:
    whole = bytearray(lines.write(A_BUNDLE))
    at = data.draw(st.integers(0, len(whole) - 2))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        found = lines.read(bytes(whole))
    except BadBundle:
        return
    assert found.rows == ROWS, "what is read must be what was written"


def test_p45_rows_of_another_bucket_and_removals_do_not_belong_in_a_bundle() -> None:
    for row in ({**ROWS[0], "b": "b2"}, {"b": "b1", "t": "site", "id": "s", "op": "remove"}, {**ROWS[0], "ver": "1"}):
        with pytest.raises(BadBundle):
            lines.read(lines.write(Bundle("e0", "b1", 7, 2, [*ROWS, row])))


# ---- the store


def test_p47_a_name_that_was_altered_or_made_up_names_nothing() -> None:
    key = b"k" * 32
    name = Name("e0", "district:1a", 7, 2)
    text = name.id(key)
    assert bundles.named(text, key) == name
    assert bundles.named(text, b"another key") is None
    for n in range(len(text)):
        other = "A" if text[n] != "A" else "B"
        assert bundles.named(text[:n] + other + text[n + 1 :], key) is None
    for nonsense in ("", "nobody", "../../secret.key", "é"):
        assert bundles.named(nonsense, key) is None


@pytest.mark.parametrize("harm", ["cut", "flip", "lose", "manifest", "empty"])
def test_a_file_that_is_torn_spoilt_or_lost_is_no_bundle_and_is_made_again(tmp_path: Path, harm: str) -> None:
    made = BundleStore(tmp_path).make(A_BUNDLE)
    (manifest,) = tmp_path.rglob("*.json")
    path = bundles._file(manifest, made.codings["gzip"][1])
    data = path.read_bytes()
    if harm == "cut":
        path.write_bytes(data[:-1])
    elif harm == "flip":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "lose":
        path.unlink()
    elif harm == "manifest":
        manifest.write_bytes(manifest.read_bytes()[:-5])
    else:
        manifest.write_bytes(b"")
    after_a_restart = BundleStore(tmp_path)
    assert after_a_restart.read(made.name, "gzip") is None
    assert after_a_restart.newest("e0", "b1", 2) is None, "and none is offered any more"
    assert after_a_restart.make(A_BUNDLE) == made
    assert after_a_restart.read(made.name, "gzip") == (data, made.codings["gzip"][1])


def test_a_killed_maker_leaves_nothing_that_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = bundles._put
    for deadly in range(1, 6):
        count, folder = [0], tmp_path / str(deadly)

        def die(path: Path, data: bytes, count: list[int] = count, deadly: int = deadly) -> None:
            count[0] += 1
            if count[0] == deadly:
                path.with_name(f"{path.name}.aa.part").write_bytes(data[:10])
                raise KeyboardInterrupt
            put(path, data)

        monkeypatch.setattr(bundles, "_put", die)
        with pytest.raises(KeyboardInterrupt):
            BundleStore(folder).make(A_BUNDLE)
        monkeypatch.undo()
        assert BundleStore(folder).newest("e0", "b1", 2) is None
        assert BundleStore(folder).make(A_BUNDLE).count == 60
        assert not list(folder.rglob("*.part")), "what was begun is swept away"


def test_pressing_makes_a_bundle_smaller_and_leaves_it_the_same(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    loose = store.make(A_BUNDLE)
    assert (store.press(), store.press()) == (1, 0)
    tight = store.find(loose.name)
    assert tight is not None and (tight.sha256, tight.count) == (loose.sha256, loose.count)
    for coding in ("br", "zstd", "gzip", "identity"):
        found = store.read(loose.name, coding)
        assert found is not None and found[1] == tight.codings[coding][1]
        assert lines.read(unpack(coding, found[0], 10**7)) == A_BUNDLE
        assert tight.codings[coding][0] <= loose.codings[coding][0]
    assert tight.codings["br"][0] < loose.codings["br"][0]
    assert len(list(tmp_path.rglob("2-*"))) == 5, "the loose files are gone"


def test_whoever_reads_while_it_is_pressed_gets_the_whole_or_is_told_of_none(tmp_path: Path) -> None:
    store, stop, got = BundleStore(tmp_path), threading.Event(), set[Any]()

    def read() -> None:
        while not stop.is_set():
            found = store.read(Name("e0", "b1", 7, 2), "br")
            got.add(None if found is None else lines.read(unpack("br", found[0], 10**7)) == A_BUNDLE)

    store.make(A_BUNDLE)
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(10):
        store.press()
        store.make(A_BUNDLE)
    stop.set()
    for reader in readers:
        reader.join()
    assert True in got and False not in got


def test_older_bundles_go_and_those_of_another_history_too(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    names = [store.make(Bundle("e0", "b1", clock, 2, ROWS)).name for clock in (7, 8, 9)]
    assert [store.find(name) is not None for name in names] == [False, True, True]
    store.make(Bundle("e1", "b1", 3, 2, ROWS))
    assert store.find(names[2]) is None and len(list(tmp_path.iterdir())) == 1


def test_two_makers_at_once_one_makes_and_the_other_gives_pages(tmp_path: Path) -> None:
    store, inside, release, calls = BundleStore(tmp_path), threading.Event(), threading.Event(), []

    def slow() -> Bundle:
        calls.append(1)
        inside.set()
        assert release.wait(10)
        return A_BUNDLE

    got: list[Any] = []
    name = Name("e0", "b1", 7, 2)
    maker = threading.Thread(target=lambda: got.append(bundles.fitting(store, name, 0, lambda _: 0, slow)))
    maker.start()
    assert inside.wait(10)
    assert bundles.fitting(BundleStore(tmp_path), name, 0, lambda _: 0, slow) is None
    release.set()
    maker.join()
    assert got[0] is not None and calls == [1]
    assert bundles.fitting(BundleStore(tmp_path), name, 0, lambda _: 0, slow) == got[0] and calls == [1]


@pytest.mark.parametrize(("horizon", "clock", "changed", "is_kept"), [
    (0, 9, 0, True), (0, 9, 3, True), (0, 9, 4, False), (8, 9, 0, True), (9, 9, 0, False), (0, 6, 0, False),
])  # fmt: skip
def test_p46_a_bundle_is_made_anew_after_a_twentieth_changed_or_removals_were_forgotten(
    tmp_path: Path, horizon: int, clock: int, changed: int, is_kept: bool
) -> None:
    store = BundleStore(tmp_path)
    old = store.make(A_BUNDLE)  # 60 rows at clock 7
    newer = Bundle("e0", "b1", clock, 2, ROWS)
    got = bundles.fitting(store, Name("e0", "b1", clock, 2), horizon, lambda _: changed, lambda: newer)
    assert got is not None and (got == old) is is_kept
    assert got.name.clock == (7 if is_kept else clock)


def test_a_full_disk_costs_a_bundle_and_no_pull(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("no folder can be made here")
    name = Name("e0", "b1", 7, 2)
    assert bundles.fitting(BundleStore(folder), name, 0, lambda _: 0, lambda: A_BUNDLE) is None


# ---- over HTTP


@pytest.mark.answers("downloads.bundle", 200, 206, 304, 404, 416)
def test_p47_range_and_tags_by_hand(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)
    phone.pull()
    offer = offers_of(phone)["district:1a"]
    url, line = f"/sync/v1/bundles/{offer['id']}", phone.transport
    tags = {}
    for coding in ("br", "zstd", "gzip", "identity"):
        status, got, whole = line.raw("GET", url, None, {**line.headers(), "Accept-Encoding": coding})
        assert status == 200 and got.get("Content-Encoding", "identity") == coding
        assert coding == "identity" or len(whole) == offer["bytes"][coding]
        tags[coding] = got["ETag"]
        found = lines.read(unpack(coding, whole, 10**7))
        assert (found.bucket, len(found.rows)) == ("district:1a", offer["count"])
        head, _, _ = unpack(coding, whole, 10**7).partition(b"\n")
        assert sum(orjson.loads(head)["counts"].values()) == offer["count"] >= 90
        asked = {**line.headers(), "Accept-Encoding": coding}
        status, rest_of, rest = line.raw("GET", url, None, {**asked, "Range": "bytes=100-", "If-Range": tags[coding]})
        assert (status, rest, rest_of["Content-Range"]) == (206, whole[100:], f"bytes 100-{len(whole) - 1}/{len(whole)}")
        assert rest_of["ETag"] == tags[coding]
        status, _, again = line.raw("GET", url, None, {**asked, "Range": "bytes=100-", "If-Range": '"another"'})
        assert (status, again) == (200, whole), "of another tag the rest would not fit"
        assert line.raw("GET", url, None, {**asked, "Range": f"bytes={len(whole)}-"})[0] == 416
        assert line.raw("GET", url, None, {**asked, "If-None-Match": tags[coding]})[0] == 304
        status, got, none = line.raw("HEAD", url, None, asked)
        assert (status, got["ETag"], got["Content-Length"], none) == (200, tags[coding], str(len(whole)), b"")
    assert len(set(tags.values())) == 4, "each coding has its own tag"
    assert line.raw("GET", "/sync/v1/bundles/nobody", None, line.headers())[0] == 404
    phone.close()


def test_p47_a_bundle_of_a_bucket_that_is_not_the_askers_does_not_exist(peopled: Ground, home: Path) -> None:
    ann, bob = peopled.phone("ann", home / "a"), peopled.phone("bob", home / "b")
    ann.pull()
    url = f"/sync/v1/bundles/{offers_of(ann)['district:1a']['id']}"
    assert ann.transport.raw("GET", url, None, ann.transport.headers())[0] == 200
    status, _, body = bob.transport.raw("GET", url, None, bob.transport.headers())
    assert (status, json.loads(body)["code"]) == (404, "not_found")
    peopled.areas_of("u-ann", "1b")
    assert ann.transport.raw("GET", url, None, ann.transport.headers())[0] == 404, "asked at each read"
    peopled.areas_of("u-ann", "1a")
    ann.close()
    bob.close()


def test_p46_a_download_goes_on_at_the_byte_where_it_broke(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)
    phone.pull()
    line: Any = phone.transport
    size = offers_of(phone)["district:1a"]["bytes"]["br"]
    for end in (0, 1, 100, size // 2):
        line.cut = end
        with pytest.raises(Offline):
            phone.pull()
        assert phone.store.part(offers_of(phone)["district:1a"]["id"])[1] >= end
    phone.close()
    again = peopled.again(home)
    settle(again)
    ranges = [h["Range"] for m, p, h, s in again.transport.seen if "Range" in h and s == 206]
    assert ranges and int(ranges[0].split("=")[1].rstrip("-")) > 0
    assert again.puller.got["bundle_bytes"] < size, "only the rest came"
    assert held(again, "site") == peopled.truth({"district:1a"})
    assert list((home / "bundles").iterdir()) == []
    again.close()


def test_p46_a_spoilt_download_is_thrown_away_and_the_rows_come_in_pages(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)
    phone.pull()
    line: Any = phone.transport
    line.spoil = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(Offline):
        phone.pull()
    assert held(phone, "site") == {}, "nothing of it was taken"
    settle(phone)
    assert held(phone, "site") == peopled.truth({"district:1a"}) and phone.puller.got["bundles"] < 2
    phone.close()


def test_p46_a_server_that_lost_its_bundles_gives_pages(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)
    phone.pull()
    for path in (peopled.app.extensions["config"].data / "bundles").rglob("*.*"):
        path.unlink()
    settle(phone)
    assert held(phone, "site") == peopled.truth({"district:1a"}) and phone.puller.got["bundles"] == 0
    phone.close()


def test_p46_what_changed_after_the_bundle_follows_in_pages(peopled: Ground, home: Path) -> None:
    phone = peopled.phone("ann", home)
    phone.pull()
    assert "district:1a" in offers_of(phone)
    changed = many(90) | {"s0001": ("1a", "新名小学（示例）"), "s0002": ("1b", "搬走的小学（示例）"), "s9999": ("1a", "新小学（示例）")}
    peopled.load(changed)
    settle(phone)
    assert held(phone, "site") == peopled.truth({"district:1a"})
    assert {row["id"]: row["name"] for row in phone.rows("site")}["s0001"] == "新名小学（示例）"
    assert phone.puller.got["bundles"] >= 1 and phone.store.state("doubts")["doubts"] == {}
    peopled.load(many(90))
    phone.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.integers(0, 4000), max_size=6), limit=st.integers(1, 60))
def test_p46_whatever_breaks_on_the_way_the_view_ends_whole(
    peopled: Ground, tmp_path_factory: pytest.TempPathFactory, cuts: list[int], limit: int
) -> None:
    phone = peopled.phone("ann", tmp_path_factory.mktemp("phone"))
    line: Any = phone.transport
    for end in cuts:
        line.cut = end
        try:
            phone.pull(limit)
        except Offline:
            continue
    line.cut = None
    settle(phone, limit=limit)
    assert held(phone, "site") == peopled.truth({"district:1a"})
    assert phone.store.state("doubts")["doubts"] == {}
    phone.close()
