"""Real editors, driven headless against the real server."""
