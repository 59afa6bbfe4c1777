"""Models and statements rebuilt with the real SQLAlchemy, from source alone. Nothing here runs the user's code."""
