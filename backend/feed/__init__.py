"""The change feed of the devices: one row per bucket and entity. Written by ops.apply alone."""
