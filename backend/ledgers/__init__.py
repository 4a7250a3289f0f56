"""The people's ledgers (台账): roll-ups, lists, reconciliation. Reads all, changes nothing."""
