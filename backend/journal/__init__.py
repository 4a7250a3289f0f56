"""The hash-chained record of every change. Written by ops.apply alone."""
