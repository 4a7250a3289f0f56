"""Copies of the whole record: made, proven, put back; and what watches that the server does not go back
unnoticed."""
