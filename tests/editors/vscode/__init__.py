"""VS Code: its installation and what runs in it."""
