"""No SQLAlchemy here: nothing may happen."""

session = {}
session.query = lambda *a: session  # not ours
