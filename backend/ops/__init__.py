"""The one door for change: table, apply, reactions, jobs. Nothing else writes the record."""
