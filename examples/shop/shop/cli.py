"""The shop's command line: `python -m shop.cli export products`."""

import argparse
import csv
import sys
from pathlib import Path

from sqlalchemy import text

from shop.db import ReplicaSession, SessionFactory
from shop.repositories.products import ProductRepository
from shop.services.catalog_import import CatalogImport

TABLES = ("products", "customers", "orders", "order_lines")


def export(table: str) -> int:
    """Print a table as CSV and return the number of its rows."""
    with ReplicaSession() as session:
        rows = session.execute(text(f"SELECT * FROM {table}"))
        writer = csv.writer(sys.stdout)
        writer.writerow(rows.keys())
        count = 0
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def size(table: str) -> int:
    """The number of rows of one of the shop's tables."""
    if table not in TABLES:
        raise ValueError(f"no table {table!r}; choose from {', '.join(TABLES)}")
    with ReplicaSession() as session:
        statement = text("SELECT count(*) FROM " + table)
        return session.scalars(statement).one()


def load(path: Path) -> int:
    """Import a price list and return the number of its lines."""
    with path.open(newline="", encoding="utf-8") as lines, SessionFactory() as session:
        return CatalogImport(ProductRepository(session)).load(csv.DictReader(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description="Look after the shop.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("export", "size"):
        commands.add_parser(name).add_argument("table")
    commands.add_parser("load").add_argument("path", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "load":
        print(load(arguments.path))
    elif arguments.command == "size":
        print(size(arguments.table))
    else:
        export(arguments.table)


if __name__ == "__main__":
    main()
