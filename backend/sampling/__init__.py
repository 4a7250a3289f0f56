"""Random re-inspection (双随机): which closed problems are looked at again, and by whom, drawn from a published seed."""
