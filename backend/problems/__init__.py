"""A hazard from found to closed: states, reports, history. Never who is responsible."""
