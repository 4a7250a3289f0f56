"""A printed document as a picture and as text: its pages drawn from the PDF itself, its code read by a decoder that is not the one
that made it. Asserts nothing."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pypdf
import pypdfium2
import zxingcpp
from PIL import Image

PPI = 150
MARGIN_MM = 8  # nothing is printed nearer to the edge of a page (its margins are 20 mm)
INK = 160  # of 255: darker than this is ink


@dataclass(frozen=True)
class Paper:
    """A PDF."""

    pdf: bytes

    @cached_property
    def pages(self) -> list[Image.Image]:
        """Each page as a picture in greys."""
        opened = pypdfium2.PdfDocument(self.pdf)
        return [page.render(scale=PPI / 72).to_pil().convert("L") for page in opened]

    @cached_property
    def text(self) -> str:
        """All words without spaces and places to break at."""
        said = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(self.pdf)).pages)
        return flat(said)

    def codes(self) -> list[str]:
        """What the codes on the first page say."""
        return [found.text for found in zxingcpp.read_barcodes(self.pages[0])]

    def near_the_edge(self) -> list[int]:
        """Pages (from 1) with ink nearer to an edge than a margin allows."""
        strip = round(MARGIN_MM / 25.4 * PPI)
        return [n for n, page in enumerate(self.pages, 1) if min(v for edge in _edges(page, strip) for v in edge) < INK]

    def glyphs_outside(self) -> list[tuple[int, str]]:
        """(page, glyph) of every glyph whose box is not wholly on its page."""
        return [
            (n, glyph)
            for n, page in enumerate(pypdfium2.PdfDocument(self.pdf), 1)
            for glyph, (left, bottom, right, top) in _glyphs(page)
            if left < 0 or bottom < 0 or right > page.get_width() or top > page.get_height()
        ]

    def overprinted(self) -> list[tuple[int, str, str]]:
        """(page, glyph, glyph) of glyphs that are printed over each other: more than a third of the smaller one is covered."""
        found = []
        for n, page in enumerate(pypdfium2.PdfDocument(self.pdf), 1):
            boxes = sorted(_glyphs(page), key=lambda each: each[1][0])
            for at, (one, a) in enumerate(boxes):
                for other, b in boxes[at + 1 :]:
                    if b[0] >= a[2]:
                        break
                    if _shared(a, b) > min(_size(a), _size(b)) / 3:
                        found.append((n, one, other))
        return found


Box = tuple[float, float, float, float]


def flat(text: str) -> str:
    """Words as they can be compared: a line may be broken anywhere."""
    return "".join(text.split()).replace("\u200b", "")


def _edges(page: Image.Image, strip: int) -> Iterator[tuple[int, ...]]:
    wide, high = page.size
    for box in ((0, 0, wide, strip), (0, high - strip, wide, high), (0, 0, strip, high), (wide - strip, 0, wide, high)):
        yield page.crop(box).getextrema()


def _glyphs(page: pypdfium2.PdfPage) -> Iterator[tuple[str, Box]]:
    text = page.get_textpage()
    for n in range(text.count_chars()):
        glyph = text.get_text_range(n, 1)
        if glyph.strip("\u200b\ufffe") and not glyph.isspace():
            yield glyph, text.get_charbox(n)


def _shared(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _size(a: Box) -> float:
    return (a[2] - a[0]) * (a[3] - a[1])
