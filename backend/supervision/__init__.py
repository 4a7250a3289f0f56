"""Acts on a problem that are records of their own: extension, transfer, decision, listing, acceptance. Never a problem's own life."""
