"""The whole check of the project: `pytest` runs it. Nothing here is shipped."""
