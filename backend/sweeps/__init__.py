"""A sweep, its teams and its tasks. No findings."""
