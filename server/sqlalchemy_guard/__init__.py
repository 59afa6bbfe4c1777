"""sqlalchemy-guard: understands how Python code uses SQLAlchemy, without importing or running it."""

__version__ = "0.1.0"
