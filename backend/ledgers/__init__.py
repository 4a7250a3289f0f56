"""The people's ledgers (台账): roll-ups of now and of any moment, lists, reconciliation.

Of the record it writes only what it counts: the lines of its own history (lines.py), behind the commit clock.
"""
