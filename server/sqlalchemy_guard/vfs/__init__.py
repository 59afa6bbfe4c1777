"""The only disk access besides the cache. Must never interpret what it reads."""

from sqlalchemy_guard.vfs.files import DEFAULT_LIMIT, SUFFIXES, Skipped, Source, Stamp, Vfs, canonical, decode

__all__ = ["DEFAULT_LIMIT", "SUFFIXES", "Skipped", "Source", "Stamp", "Vfs", "canonical", "decode"]
