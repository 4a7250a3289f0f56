"""Pictures: what a file is, and upright derivatives of it without metadata. Pure functions over paths.

Hostile files are expected: the first bytes choose the one decoder, pixels are counted before anything is
decoded, and every failure has a code. Never a request, a database or a clock here, and never a file's name as
evidence.
What the camera claims in EXIF is read in `exif.py`.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pi_heif
from PIL import Image, PngImagePlugin

# Checked before anything is decoded, and set so that no decoder takes more than about 400 MB (measured): a
# sequential JPEG of 100 megapixels takes 30, a progressive one 310, a PNG 4 and a WebP 15 bytes a pixel.
MAX_PIXELS_OF = {"JPEG": 100_000_000, "PNG": 64_000_000, "HEIF": 64_000_000, "WEBP": 24_000_000}
MAX_PIXELS = max(MAX_PIXELS_OF.values())
JPEG_QUALITY = 82
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
PngImagePlugin.MAX_TEXT_MEMORY = 4 * 1024 * 1024  # of inflated text chunks; 1 MB each is Pillow's own limit
# Up to twice the limit Pillow only warns; `open_photo` counts for itself, this is the second lock.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

_HEAD_BYTES = 64
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_JPEG_MAGIC, _PNG_MAGIC = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# Formats that are pictures and yet no photos: named, so that the refusal says more than "not an image".
_REFUSED_MAGIC = (b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"<svg", b"<?xml", b"%!PS", b"%PDF", b"8BPS")
# EXIF orientation → what turns the stored picture upright (EXIF 2.32, tag 0x0112).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BadImage(Exception):
    """A file that is no usable photo, with its `code`:

    not_an_image: no picture at all, or nothing in it · unsupported_type: a picture, but of no kind that is
    taken (GIF, SVG, TIFF, AVIF …) · animated: a moving WebP or PNG · too_large: more than MAX_PIXELS_OF, or
    text that inflates without end · truncated: begins as a photo, but is broken off or damaged.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Probe:
    """A decodable photo. Width and height as stored, before `orientation` (1–8, EXIF) is applied.

    `format`: JPEG, MPO, PNG, WEBP or HEIF; of several `frames` (MPO, HEIF) the first alone counts.
    """

    format: str
    width: int
    height: int
    orientation: int
    frames: int


@dataclass(frozen=True, slots=True)
class Derivative:
    """One upright JPEG without metadata; sizes in pixels and bytes."""

    width: int
    height: int
    path: Path
    bytes: int


def _kind(head: bytes) -> str:
    """Pillow's name of the one decoder that may look at the file. Raises BadImage."""
    if head.startswith(_JPEG_MAGIC):
        return "JPEG"
    if head.startswith(_PNG_MAGIC):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[at : at + 4] for at in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)}
        if brands & _HEIC_BRANDS:
            return "HEIF"
        raise BadImage("unsupported_type", repr(head[8:12]))
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_REFUSED_MAGIC):
        raise BadImage("unsupported_type", repr(head[:4]))
    raise BadImage("not_an_image", f"{len(head)} bytes looked at" if head else "an empty file")


@contextmanager
def no_remarks() -> Iterator[None]:
    """Keeps Pillow's remarks on damaged metadata (UserWarning) to itself; the damage itself is checked for.

    `catch_warnings` is not made for threads: where two overlap the filter may stay, which does no harm.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        yield


def open_photo(path: Path) -> Image.Image:
    """The picture of a file, header read and size allowed, nothing decoded yet; to be closed by the caller.

    Raises BadImage; an OSError of the file itself (missing, unreadable) stays what it is.
    """
    with path.open("rb") as file:
        kind = _kind(file.read(_HEAD_BYTES))
    try:
        with no_remarks():
            image = Image.open(path, formats=(kind,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as bomb:
        raise BadImage("too_large", str(bomb)[:200]) from bomb
    except Exception as fault:  # a parser may fail on hostile bytes in any way at all
        code = "too_large" if "too large" in str(fault) else "truncated"  # Pillow's words for a text bomb
        raise BadImage(code, f"{type(fault).__name__}: {str(fault)[:200]}") from fault
    if image.width * image.height > MAX_PIXELS_OF[kind]:
        image.close()
        raise BadImage("too_large", f"{image.width}x{image.height}")
    return image


def probe(path: Path) -> Probe:
    """What a whole, decodable photo is. Raises BadImage with its code, OSError where there is no file."""
    with open_photo(path) as image:
        kind, size, frames = str(image.format), image.size, int(getattr(image, "n_frames", 1))
        if frames > 1 and kind in ("WEBP", "PNG"):
            raise BadImage("animated", f"{frames} frames")
        orientation = _orientation(image)
        image.draft(None, (1, 1))  # reads all of a JPEG's bytes, keeps an eighth of its sides
        _decode(image)
        return Probe(kind, *size, orientation, frames)


def _decode(image: Image.Image) -> None:
    try:
        image.load()
    except MemoryError as bomb:
        raise BadImage("too_large", str(bomb)[:200]) from bomb
    except Exception as fault:  # a decoder may fail on hostile bytes in any way at all
        raise BadImage("truncated", f"{type(fault).__name__}: {str(fault)[:200]}") from fault


def _orientation(image: Image.Image) -> int:
    """1–8; 1 where the file says nothing that can be used."""
    try:
        with no_remarks():
            said = image.getexif().get(0x0112)
    except Exception:  # damaged EXIF is no reason to lose the picture
        return 1
    return said if isinstance(said, int) and said in _UPRIGHT else 1


def derivatives(path: Path, out_folder: Path, widths: tuple[int, ...] = (1280, 320)) -> list[Derivative]:
    """Upright JPEGs `<width>.jpg` in `out_folder`, longest side at most each of `widths`, never enlarged.

    Metadata never gets in: each is drawn on a new canvas. Colour profiles are dropped with the rest. Raises
    BadImage, and OSError where the folder cannot be written.
    """
    wanted = sorted(set(widths), reverse=True)
    with open_photo(path) as image:
        orientation = _orientation(image)
        scale = min(1.0, wanted[0] / max(image.size))
        # The exact aspect asked for, or draft() stops one step too early; a no-op for all but JPEG.
        image.draft(None, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))
        _decode(image)
        picture = _in_bands(image, wanted[0])
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
    made = []
    for longest in wanted:  # the smaller one is made from the larger one
        picture = _fitted(picture, longest)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
        target = out_folder / f"{longest}.jpg"
        target.write_bytes(buffer.getvalue())
        made.append(Derivative(*picture.size, target, len(buffer.getvalue())))
    return made


def _in_bands(image: Image.Image, longest: int) -> Image.Image:
    """RGB on a new canvas, reduced by whole steps to at least twice `longest`, a band of rows at a time:
    100 megapixels with their conversions must not stand in memory all at once."""
    step = max(1, max(image.size) // (2 * longest))
    rows = step * 64
    canvas = Image.new("RGB", (-(-image.width // step), -(-image.height // step)))
    for top in range(0, image.height, rows):
        band = _opaque(image.crop((0, top, image.width, min(image.height, top + rows))))
        canvas.paste(band.reduce(step) if step > 1 else band, (0, top // step))
    return canvas


def _opaque(band: Image.Image) -> Image.Image:
    """Any mode → RGB: 16 bits become 8, transparency becomes white, CMYK and palettes are converted."""
    if band.mode.startswith(("I", "F")):
        band = band.convert("I").point(_sixteen_to_eight).convert("L")
    if band.mode in ("RGBA", "LA", "PA") or "transparency" in band.info:
        clear = band.convert("RGBA")
        band = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return band.convert("RGB")


def _sixteen_to_eight(value: Any) -> Any:
    return value * (1 / 257)


def _fitted(picture: Image.Image, longest: int) -> Image.Image:
    scale = longest / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BILINEAR)
