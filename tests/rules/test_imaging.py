"""Seventy good, odd and hostile files, each with its answer; derivatives carry no metadata. No app."""

import csv
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.imaging import BadImage, derivatives, probe, read_exif

PHOTOS = Path(__file__).parents[1] / "photos"
TAKEN_AT = datetime(2025, 3, 14, 1, 26, 53, tzinfo=UTC)
PHOTO, NO_GPS = ("JPEG", 640, 480), ("no_position",)
NOTHING = ("no_position", "date_unset")
SILENT = ("datum_unknown",)
# File → what it is (format, width, height: decodable) or the code that refuses it, and the flags of its EXIF.
ANSWERS: dict[str, tuple[tuple[str, int, int] | str, tuple[str, ...]]] = {
    **{f"zibo_{name}_ok.jpg": (("JPEG", 1600, 1200), ()) for name in (
        "zhangdian", "zichuan", "boshan", "linzi", "zhoucun", "huantai", "gaoqing", "yiyuan")},
    **{f"orientation_{n}.jpg": (("JPEG", 900, 600), ()) for n in (1, 2, 3, 4)},
    **{f"orientation_{n}.jpg": (("JPEG", 600, 900), ()) for n in (5, 6, 7, 8)},
    "no_exif.jpg": (PHOTO, NOTHING),
    "exif_no_gps.jpg": (PHOTO, NO_GPS),
    "gps_null_island.jpg": (PHOTO, ("null_island",)),
    "gps_beijing.jpg": (PHOTO, ()),
    "gps_gcj02_same_place.jpg": (PHOTO, ()),
    "gps_gcj02_unlabelled.jpg": (PHOTO, SILENT),
    "gps_out_of_range.jpg": (PHOTO, ("out_of_range",)),
    "gps_zero_denominator.jpg": (PHOTO, ("bad_rational", "no_position")),
    "gps_missing_refs.jpg": (PHOTO, ("missing_refs", "datum_unknown")),
    "gps_decimal_minutes.jpg": (PHOTO, SILENT),
    "gps_seconds_60.jpg": (PHOTO, SILENT),
    "gps_south_west.jpg": (PHOTO, ()),
    "gps_coarse_error_2km.jpg": (PHOTO, ()),
    "gps_time_differs_9h.jpg": (PHOTO, ("gps_clock_differs",)),
    "date_future.jpg": (PHOTO, ()),
    "date_1970.jpg": (PHOTO, ("date_unset",)),
    "date_no_offset.jpg": (PHOTO, ("offset_unknown",)),
    "date_blank.jpg": (PHOTO, ("date_unset",)),
    "date_garbage.jpg": (PHOTO, ("date_garbage",)),
    "text_xss.jpg": (PHOTO, ()),
    "text_sqli_nul.jpg": (PHOTO, ()),
    "text_gbk_bytes.jpg": (PHOTO, ()),
    "truncated.jpg": ("truncated", ()),
    "truncated_in_exif.jpg": ("truncated", ("unreadable",)),
    "flipped_bytes.jpg": (PHOTO, ()),
    "empty.jpg": ("not_an_image", ("unreadable",)),
    "text_as.jpg": ("not_an_image", ("unreadable",)),
    "html_polyglot.jpg": (PHOTO, ()),
    "zip_polyglot.jpg": (PHOTO, ()),
    "trailing_data.jpg": (PHOTO, ()),
    "png_named.jpg": (("PNG", 640, 480), NOTHING),
    "exif_gps.png": (("PNG", 640, 480), ()),
    "exif_gps.webp": (("WEBP", 640, 480), ()),
    "animated.webp": ("animated", NOTHING),
    "two_frames.mpo": (("MPO", 640, 480), ()),
    "cmyk.jpg": (PHOTO, NOTHING),
    "progressive.jpg": (PHOTO, ()),
    "gray16.png": (("PNG", 64, 64), NOTHING),
    "palette.gif": ("unsupported_type", ("unreadable",)),
    "one_pixel.jpg": (("JPEG", 1, 1), NOTHING),
    "panorama_16000x200.jpg": (("JPEG", 16000, 200), NOTHING),
    "bomb_20000x20000.png": ("too_large", ("unreadable",)),
    "bomb_12000x12000.png": ("too_large", ("unreadable",)),
    "bomb_header_65500.jpg": ("too_large", ("unreadable",)),
    "bomb_ztxt_60MB.png": ("too_large", ("unreadable",)),
    "exif_64k.jpg": (PHOTO, ()),
    "svg_script.svg": ("unsupported_type", ("unreadable",)),
    "name_traversal.txt": ("not_an_image", ("unreadable",)),
    "dup_a.jpg": (PHOTO, ()),
    "dup_b.jpg": (PHOTO, ()),
    "dup_reencoded.jpg": (PHOTO, ()),
    "exif_gps.heic": (("HEIF", 640, 480), ()),
    "truncated.heic": ("truncated", ("unreadable",)),
    "heic_named.jpg": (("HEIF", 640, 480), ()),
}  # fmt: skip
GOOD = sorted(name for name, (what, _) in ANSWERS.items() if not isinstance(what, str))
REFUSED = sorted(set(ANSWERS) - set(GOOD))
# Names of tags and of containers, and what the test files hide in texts: none may be in what is served.
METADATA = (
    b"Exif", b"http://ns.adobe.com", b"<x:xmpmeta", b"Photoshop 3.0", b"8BIM", b"GPS", b"WGS-84",
    b"ICC_PROFILE", b"<script", b"PK\x05\x06", b"2025:03:14",
)  # fmt: skip


def code_of(path: Path) -> str:
    """The code that refuses a file."""
    with pytest.raises(BadImage) as bad:
        probe(path)
    return bad.value.code


def pixels(path: Path) -> np.ndarray:
    """A picture as numbers."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), float)


def test_every_file_of_the_collection_has_an_answer() -> None:
    with (PHOTOS / "index.csv").open(encoding="utf-8") as index:
        assert {row["file"] for row in csv.DictReader(index)} == set(ANSWERS)
    assert len(ANSWERS) == 70


@pytest.mark.parametrize("name", GOOD)
def test_a_photo_is_what_the_table_says(name: str) -> None:
    found = probe(PHOTOS / name)
    assert (found.format, found.width, found.height) == ANSWERS[name][0]
    assert found.orientation == (int(name[12]) if name.startswith("orientation_") else 1)
    assert found.frames == (2 if name == "two_frames.mpo" else 1)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_photo_is_refused_with_its_code(name: str, tmp_path: Path) -> None:
    assert code_of(PHOTOS / name) == ANSWERS[name][0]
    if name != "animated.webp":  # its first frame could be drawn; it is probe that refuses it
        with pytest.raises(BadImage) as bad:
            derivatives(PHOTOS / name, tmp_path)
        assert bad.value.code == ANSWERS[name][0]
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_exif_of_every_file_is_read_with_its_doubts(name: str) -> None:
    found = read_exif(PHOTOS / name)
    assert found.flags == ANSWERS[name][1]
    assert found.taken_at is None or found.taken_at.tzinfo is UTC
    assert (found.lon is None) == (found.lat is None)


@pytest.mark.parametrize("name", GOOD)
def test_a_derivative_is_an_upright_jpeg_without_any_metadata(name: str, tmp_path: Path) -> None:
    stored = probe(PHOTOS / name)
    made = derivatives(PHOTOS / name, tmp_path)
    assert [d.path.name for d in made] == ["1280.jpg", "320.jpg"]
    wide = stored.width > stored.height if stored.orientation < 5 else stored.height > stored.width
    for derivative, longest in zip(made, (1280, 320), strict=True):
        data = derivative.path.read_bytes()
        assert [word for word in METADATA if word in data] == []
        assert b"\xff\xe1" not in data[:20] and b"\xff\xfe" not in data[:20]
        assert derivative.bytes == len(data)
        assert max(derivative.width, derivative.height) == min(longest, max(stored.width, stored.height))
        assert min(derivative.width, derivative.height) >= 1
        assert (derivative.width > derivative.height) == wide
        with Image.open(derivative.path) as image:
            assert (image.format, image.mode, image.size) == (
                "JPEG",
                "RGB",
                (derivative.width, derivative.height),
            )
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert len(image.getexif()) == 0


@pytest.mark.parametrize("turned", range(2, 9))
def test_the_eight_orientations_give_the_same_upright_picture(turned: int, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = derivatives(PHOTOS / "orientation_1.jpg", tmp_path / "a")
    other = derivatives(PHOTOS / f"orientation_{turned}.jpg", tmp_path / "b")
    for one, two in zip(first, other, strict=True):
        same, shown = pixels(one.path), pixels(two.path)
        assert same.shape == shown.shape
        assert np.abs(same - shown).mean() < 4.0, "noise of JPEG alone"
        assert np.abs(same - shown[::-1, ::-1]).mean() > 15.0, "the measure tells a turned picture"


def test_a_good_field_photo_tells_place_time_and_error() -> None:
    found = read_exif(PHOTOS / "zibo_zhangdian_ok.jpg")
    assert (found.lon, found.lat) == (pytest.approx(118.0448), pytest.approx(36.8070))
    assert (found.position_error_m, found.altitude_m, found.direction_deg, found.datum) == (
        4.9,
        30.0,
        0.0,
        "wgs84",
    )
    assert (found.taken_at, found.gps_at, found.is_offset_known) == (TAKEN_AT, TAKEN_AT, True)
    assert found.taken_local == "2025-03-14T09:26:53"


@pytest.mark.parametrize(
    ("name", "lon", "lat"),
    [
        ("gps_south_west.jpg", -70.6483, -33.4569),
        ("gps_decimal_minutes.jpg", 118.0448, 36.8070),
        ("gps_seconds_60.jpg", 118.0 + 2 / 60, 36.8),
        ("gps_missing_refs.jpg", 118.0448, 36.8070),
        ("exif_gps.heic", 118.0448, 36.8070),
        ("exif_gps.png", 118.0448, 36.8070),
        ("exif_gps.webp", 118.0448, 36.8070),
        ("truncated.jpg", 118.0448, 36.8070),
        ("gps_null_island.jpg", None, None),
        ("gps_out_of_range.jpg", None, None),
        ("gps_zero_denominator.jpg", None, None),
    ],
)
def test_a_position_is_read_as_it_was_written_or_not_at_all(
    name: str, lon: float | None, lat: float | None
) -> None:
    found = read_exif(PHOTOS / name)
    assert (found.lon, found.lat) == (lon and pytest.approx(lon), lat and pytest.approx(lat))


def test_a_datum_is_believed_where_it_is_written_and_doubted_where_not() -> None:
    told, silent = (read_exif(PHOTOS / f"gps_gcj02_{name}.jpg") for name in ("same_place", "unlabelled"))
    assert (told.lon, told.lat) == (silent.lon, silent.lat)
    assert (told.datum, silent.datum) == ("gcj02", None)
    assert read_exif(PHOTOS / "gps_coarse_error_2km.jpg").position_error_m == 2000.0


def test_a_time_without_offset_is_that_of_china_and_says_so() -> None:
    found = read_exif(PHOTOS / "date_no_offset.jpg")
    assert (found.taken_at, found.is_offset_known) == (TAKEN_AT, False)


def test_an_unset_clock_gives_no_instant_but_keeps_what_it_showed() -> None:
    found = read_exif(PHOTOS / "date_1970.jpg")
    assert (found.taken_at, found.taken_local) == (None, "1970-01-01T08:00:00")
    assert read_exif(PHOTOS / "date_garbage.jpg").taken_local is None


def test_the_plain_form_of_exif_is_json() -> None:
    plain = read_exif(PHOTOS / "gps_time_differs_9h.jpg").as_dict()
    assert (plain["taken_at"], plain["gps_at"]) == ("2025-03-14T01:26:53+00:00", "2025-03-14T10:26:53+00:00")
    assert plain["flags"] == ["gps_clock_differs"]
    assert read_exif(PHOTOS / "no_exif.jpg").as_dict()["taken_at"] is None


def test_a_missing_file_is_an_error_and_no_bad_photo(tmp_path: Path) -> None:
    for look in (probe, read_exif):
        with pytest.raises(FileNotFoundError):
            look(tmp_path / "none.jpg")


def with_exif(path: Path, **tags: object) -> Path:
    """A small JPEG with these tags: `date`, `offset`, `gps` (a dict of GPS tags)."""
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: tags.get("date", ""), 0x9011: tags.get("offset", "")})
    exif.get_ifd(0x8825).update(tags.get("gps", {}))
    Image.new("RGB", (8, 8)).save(path, "JPEG", exif=exif)
    return path


@pytest.mark.parametrize(
    ("date", "offset", "flags"),
    [
        ("9999:12:31 23:59:59", "-08:00", {"date_garbage"}),
        ("2025:03:14 09:26:53", "+99:99", {"offset_unknown"}),
        ("2025:03:14 09:26:53", "08:00", {"offset_unknown"}),
        ("2025:02:30 09:26:53", "+08:00", {"date_garbage"}),
        ("0000:00:00 00:00:00", "+08:00", {"date_garbage"}),
    ],
)
def test_an_impossible_time_is_flagged(date: str, offset: str, flags: set[str], tmp_path: Path) -> None:
    assert set(read_exif(with_exif(tmp_path / "a.jpg", date=date, offset=offset)).flags) == flags | {
        "no_position"
    }


@pytest.mark.parametrize(
    ("gps", "flags"),
    [
        ({1: "N", 2: (36.0, 90.0, 0.0), 3: "E", 4: (118.0, 2.0, 0.0)}, {"out_of_range", "no_position"}),
        ({1: "N", 2: (36.0, 48.0), 3: "E", 4: (118.0, 2.0, 0.0)}, {"no_position"}),
        (
            {1: "Q", 2: (36.0, 48.0, 0.0), 3: "E", 4: (118.0, 2.0, 0.0), 18: "TOKYO"},
            {"missing_refs", "datum_other"},
        ),
    ],
)
def test_an_impossible_position_is_flagged(gps: dict[int, object], flags: set[str], tmp_path: Path) -> None:
    assert set(read_exif(with_exif(tmp_path / "a.jpg", gps=gps)).flags) == flags | {"date_unset"}


def exif_bytes() -> bytes:
    """The EXIF block of a good field photo."""
    with Image.open(PHOTOS / "zibo_zhangdian_ok.jpg") as image:
        return bytes(image.info["exif"])


EXIF = exif_bytes()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(6, len(EXIF) - 1), st.integers(0, 255)), max_size=12), st.integers(0, 40)
)
def test_exif_with_any_bytes_changed_or_cut_off_is_read_without_an_error(
    changes: list[tuple[int, int]], cut: int
) -> None:
    hostile = bytearray(EXIF)
    for at, value in changes:
        hostile[at] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jpg"
        Image.new("RGB", (8, 8)).save(path, "JPEG", exif=bytes(hostile[: len(hostile) - cut]))
        found = read_exif(path)
        assert probe(path).width == 8
    assert found.lon is None or (abs(found.lon) <= 180 and abs(found.lat or 0.0) <= 90)


def test_other_kinds_of_file_are_named_by_their_first_bytes(tmp_path: Path) -> None:
    picture, bad = Image.new("RGB", (8, 8)), tmp_path / "photo.jpg"
    for kind in ("TIFF", "BMP", "GIF", "EPS"):
        picture.save(bad, kind)
        assert code_of(bad) == "unsupported_type", kind
    bad.write_bytes(b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf")
    assert code_of(bad) == "unsupported_type"
    bad.write_bytes(b"\xff\xd8\xff")
    assert code_of(bad) == "truncated"


@pytest.mark.parametrize(("kind", "size"), [("PNG", (8001, 8000)), ("WEBP", (5000, 4801))])
def test_a_picture_that_its_decoder_would_need_too_much_memory_for_is_too_large(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    Image.new("1" if kind == "PNG" else "RGB", size).save(tmp_path / "a.jpg", kind, method=0, quality=1)
    assert code_of(tmp_path / "a.jpg") == "too_large"
    Image.new("1" if kind == "PNG" else "RGB", (80, 60)).save(tmp_path / "a.jpg", kind)
    assert probe(tmp_path / "a.jpg").format == kind


def test_a_moving_png_is_refused_as_animated(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    assert code_of(tmp_path / "a.png") == "animated"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_becomes_the_same_grey(mode: str, tmp_path: Path) -> None:
    grey = np.full((60, 80), 255 if mode == "1" else 128, np.uint8)
    image = Image.fromarray(grey)
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / "a.png")
    (made,) = derivatives(tmp_path / "a.png", tmp_path, widths=(40,))
    assert (made.width, made.height) == (40, 30)
    assert np.abs(pixels(made.path) - grey[0, 0]).max() <= 2


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (80, 60), (0, 0, 0, 0)).save(tmp_path / "a.png")
    (made,) = derivatives(tmp_path / "a.png", tmp_path, widths=(320,))
    assert (made.width, made.height) == (80, 60), "nothing is enlarged"
    assert pixels(made.path).min() == 255


def test_a_large_picture_reduced_in_bands_looks_like_itself(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.linspace(0, 255, 3001), np.linspace(0, 255, 1999))
    ramp = np.stack([x, y, 255 - x], axis=-1).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "a.png", compress_level=1)
    (made,) = derivatives(tmp_path / "a.png", tmp_path, widths=(320,))
    wanted = np.asarray(Image.fromarray(ramp).resize((made.width, made.height), Image.Resampling.BOX), float)
    assert np.abs(pixels(made.path) - wanted).max() < 6


def test_a_png_whose_data_stream_lies_is_truncated_and_not_a_crash(tmp_path: Path) -> None:
    good = (PHOTOS / "gray16.png").read_bytes()
    at = good.index(b"IDAT")
    (tmp_path / "a.png").write_bytes(good[: at + 4] + zlib.compress(b"x") + good[at + 13 :])
    assert code_of(tmp_path / "a.png") == "truncated"
