"""What `dev.py` offers to developers. Never shipped, and never imported by the package."""
