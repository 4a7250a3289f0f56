"""Printing, without a server: same bytes each time, the QR code as it stands on the page, tables over pages, characters the font
lacks. What is printed for real problems is looked at in tests/api/test_documents.py."""

import io
from datetime import UTC, datetime
from typing import Any

import pypdf
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.documents import handlers, rendering
from backend.documents.kinds import KINDS
from sync_protocol.identity import fingerprint

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def said(kind: str, rows: int = 1, cell: str = "张店区某处（示例）") -> dict[str, Any]:
    """Facts of a list."""
    of = KINDS[kind]
    return {
        "v": 1, "kind": kind, "title": of.title, "title_en": of.title_en, "number": f"{of.code}-2026-000001", "date": "2026-11-24",
        "office": "张店区（区县牵头）", "verify_at": f"http://127.0.0.1:8000/verify/{of.code}-2026-000001", "fields": [], "answers": None,
        "place": "张店区", "as_of": "2026-11-24", "columns": [label for _, label in of.columns], "count": rows,
        "rows": [[f"第{n}行", *[cell] * (len(of.columns) - 1)] for n in range(1, rows + 1)],
    }  # fmt: skip


def drawn(facts: dict[str, Any]) -> bytes:
    text = handlers.canonical(facts)
    made: bytes = rendering.render(text, fingerprint(text), AT)
    return made


def first_page(facts: dict[str, Any]) -> Image.Image:
    """As a picture in greys."""
    text = handlers.canonical(facts)
    made = rendering.render(text, fingerprint(text), AT, "png", ppi=300)
    return Image.open(io.BytesIO(made[0] if isinstance(made, list) else made)).convert("L")


def words(pdf: bytes) -> list[str]:
    """The text of each page without its spaces."""
    return ["".join(p.extract_text().split()).replace("\u200b", "") for p in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def test_the_same_facts_are_the_same_bytes_and_other_facts_are_not() -> None:
    assert drawn(said("list_problem")) == drawn(said("list_problem"))
    assert drawn(said("list_problem")) != drawn(said("list_problem", cell="别处"))


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.template == "list"])
def test_a_table_of_many_rows_breaks_over_pages_and_repeats_its_head(kind: str) -> None:
    pages = words(drawn(said(kind, 90, "内容较长、需要在单元格里换行的说明文字")))
    assert len(pages) >= 3
    rows = [n for n in range(1, 91) if f"第{n}行" in "".join(pages)]
    assert rows == list(range(1, 91))
    with_rows = [page for page in pages if "第" in page and "行" in page]
    heads = [all("".join(label.split()) in page for _, label in KINDS[kind].columns) for page in with_rows]
    assert all(heads), "a head is missing on a page"


def test_the_code_on_the_page_is_the_address_that_verifies_it() -> None:
    facts = said("list_problem")
    digest = fingerprint(handlers.canonical(facts))
    code = segno.make(rendering.qr_target(facts["verify_at"], digest), error="m", micro=False)
    image = first_page(facts).point(lambda v: 255 if v < 128 else 0)
    corner = image.crop((int(image.width * 0.84), 0, image.width, int(image.height * 0.205)))
    west, north, east, south = corner.getbbox() or (0, 0, 0, 0)
    size = len(code.matrix)
    assert abs((east - west) - (south - north)) <= 2, "the code is not square: something else is in the corner"
    step = (east - west) / size
    seen = [[corner.getpixel((int(west + (x + 0.5) * step), int(north + (y + 0.5) * step))) > 0 for x in range(size)] for y in range(size)]
    assert seen == [[bool(v) for v in row] for row in code.matrix]


@pytest.mark.parametrize("text", ['#panic("no")', '#read("frame.typ")', "#import \"frame.typ\": *", "$ x $ *a* _b_ `c` <d> @e = f", "]#eval(\"1\")[",
                                  "\\u{41} // x /* y */", "'; DROP TABLE documents; --", "{{7*7}}", "<script>alert(1)</script>"])  # fmt: skip
def test_markup_in_a_remark_is_printed_as_it_was_written(text: str) -> None:
    facts = said("list_problem", 1, text)
    assert "".join(text.split()) in words(drawn(facts))[0]


@settings(max_examples=15)
@given(st.text(max_size=60))
def test_whatever_a_person_writes_can_be_printed(text: str) -> None:
    assert drawn(said("list_problem", 1, text)).startswith(b"%PDF-")


def test_what_the_font_lacks_is_printed_as_its_code_point() -> None:
    assert rendering.printable({"a": ["堃玥喆", "x\u202ey", "😀"]}) == {"a": ["堃玥喆", "x〔U+202E〕y", "〔U+1F600〕"]}
    assert "〔U+1F600〕" in words(drawn(said("list_problem", 1, "笑😀")))[0]


def test_a_long_latin_word_stays_within_its_cell() -> None:
    pdf = drawn(said("list_problem", 1, "A" * 300))
    assert "A" * 300 in words(pdf)[0].replace("\n", "")
    image = first_page(said("list_problem", 1, "A" * 300))
    margin = image.crop((int(image.width * 0.945), 0, image.width, image.height))
    assert min(margin.get_flattened_data()) > 200, "something is printed in the margin"


def test_every_title_is_in_the_bold_font_and_every_text_of_a_template_in_the_regular() -> None:
    texts = [path.read_text(encoding="utf-8") for path in rendering.TEMPLATES.glob("*.typ")]
    lacking = {c for text in texts for c in text if ord(c) > 32 and ord(c) not in rendering._coverage()}
    assert lacking == set()
    fonts = rendering._fonts()
    assert set(fonts.families()) == {"Noto Sans CJK SC"}, "a font of the system is used"


def test_a_kept_pdf_is_made_once_and_made_again_where_it_is_gone(tmp_path: Any) -> None:
    text = handlers.canonical(said("list_problem"))
    folder = tmp_path / "documents"
    first = rendering.printed(folder, text, fingerprint(text), AT)
    (kept,) = folder.iterdir()
    kept.write_bytes(b"kept")
    assert rendering.printed(folder, text, fingerprint(text), AT) == b"kept"
    kept.unlink()
    assert rendering.printed(folder, text, fingerprint(text), AT) == first


