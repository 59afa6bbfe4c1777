"""Facts: what ONE file says by itself. No look at another file, no disk, no settings."""
