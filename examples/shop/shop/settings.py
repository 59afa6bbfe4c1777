"""Settings from the environment."""

import os
from pathlib import Path


def database_url() -> str:
    """Where the shop keeps its data: what the environment says, or a file in the working directory."""
    return os.environ.get("SHOP_DATABASE_URL") or f"sqlite:///{Path.cwd() / 'shop.db'}"


def replica_url() -> str:
    """Where reports read from: the replica, or the shop's own database where there is none."""
    return os.environ.get("SHOP_REPLICA_URL") or database_url()
