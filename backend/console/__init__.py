"""Pages for people at a desk. No decisions, no SQL."""
