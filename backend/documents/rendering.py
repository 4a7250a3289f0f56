"""Stored facts → PDF or PNG by typst, the same bytes every time. Data travels as JSON, never as markup; no font of the system,
no network. Nothing is read from the record here."""

import hashlib
import os
import re
import tempfile
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import segno
import structlog
import typst

from backend.documents.kinds import KINDS

HERE = Path(__file__).parent
TEMPLATES, FONTS = HERE / "templates", HERE / "fonts"
PREFIX = 16  # hexadecimal digits of the digest that a QR code carries: 64 bits
_LONG = re.compile(r"[!-~]{20,}")
_SPACES = frozenset("\n\t\u200b")
log = structlog.get_logger(__name__)


def qr_target(verify_at: str, digest: str) -> str:
    """What the QR code of a document says: the page that verifies it."""
    return f"{verify_at}?d={digest[:PREFIX]}"


def render(text: str, digest: str, issued_at: datetime, form: Any = "pdf", ppi: float = 110) -> Any:
    """Canonical facts as a PDF/A-2b (bytes), or as PNG (a list of pages; bytes where there is one)."""
    said = orjson.loads(text)
    kind = KINDS[said["kind"]]
    code = segno.make(qr_target(said["verify_at"], digest), error="m", micro=False).svg_inline(
        border=2, dark="#000", omitsize=False
    )
    inputs = {"facts": orjson.dumps(printable(said)).decode(), "digest": digest, "qr": code}
    compiler = typst.Compiler(
        TEMPLATES / f"{kind.template or said['kind']}.typ",
        root=TEMPLATES,
        font_paths=_fonts(),
        ignore_system_fonts=True,
    )
    more = {"pdf_standards": ["a-2b"], "timestamp": int(issued_at.timestamp())} if form == "pdf" else {"ppi": ppi}
    return compiler.compile(format=form, sys_inputs=inputs, **more)


def printed(folder: Path, text: str, digest: str, issued_at: datetime) -> bytes:
    """The PDF, kept in `folder` under its digest and the templates' own; made again where it is not there."""
    kept = folder / f"{digest}-{_revision()}.pdf"
    if kept.exists():
        return kept.read_bytes()
    made: bytes = render(text, digest, issued_at)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as scratch:
        scratch.write(made)
    os.replace(scratch.name, kept)
    return made


def printable(said: Any) -> Any:
    """Facts with every character that the font lacks as its code point (〔U+…〕), and places to break a long Latin word at."""
    if isinstance(said, str):
        missing = sorted({c for c in said if c not in _SPACES and ord(c) not in _coverage()})
        for each in missing:
            said = said.replace(each, f"〔U+{ord(each):04X}〕")
        if missing:
            log.info("glyphs_missing", points=[f"U+{ord(c):04X}" for c in missing])
        return _LONG.sub(lambda m: "\u200b".join(re.findall(r".{1,8}", m[0])), said)
    if isinstance(said, list):
        return [printable(each) for each in said]
    if isinstance(said, dict):
        return {key: printable(value) for key, value in said.items()}
    return said


@cache
def _coverage() -> frozenset[int]:
    """Code points of the regular font."""
    found: set[int] = set()
    for line in (FONTS / "coverage.txt").read_text(encoding="ascii").split():
        first, _, last = line.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)


@cache
def _fonts() -> Any:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])


@cache
def _revision() -> str:
    """What else a PDF depends on: templates, fonts and the compiler."""
    made = hashlib.sha256(version("typst").encode())
    for path in sorted([*TEMPLATES.glob("*.typ"), *FONTS.glob("*.otf")]):
        made.update(path.name.encode() + path.read_bytes())
    return made.hexdigest()[:12]
