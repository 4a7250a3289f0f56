"""Photo bytes, their custody, EXIF and derivatives. Never what a photo proves."""
