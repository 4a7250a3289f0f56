"""Handovers (交办单): a batch of problems given to one office with one deadline, its receipt and its replies. Never a problem's own state."""
