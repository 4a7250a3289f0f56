"""The one command line, `python -m backend`. No logic beyond reading options and printing."""
