"""People, devices, tokens, posts and who holds them from when to when. No territory data."""
