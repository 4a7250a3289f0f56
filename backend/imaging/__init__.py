"""Pictures: what a file is, what its EXIF claims, derivatives. Never a request, database or clock here."""

from backend.imaging.exif import Exif, read_exif
from backend.imaging.pictures import MAX_PIXELS_OF, BadImage, Derivative, Probe, derivatives, probe

__all__ = ["MAX_PIXELS_OF", "BadImage", "Derivative", "Exif", "Probe", "derivatives", "probe", "read_exif"]
