"""Published ledgers of a period: number, moment, digest, completeness; restatements of them, and what differs between two."""
