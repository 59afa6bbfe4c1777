"""Syntax: a document as an error-tolerant, incrementally kept tree. Never raises on any text."""
