"""Text: documents, line arithmetic, edits. Knows nothing of Python, of SQLAlchemy or of any protocol's
objects."""
