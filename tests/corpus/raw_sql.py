"""SQL put together from strings, in the ways one meets."""
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

engine = create_engine("sqlite:///x.db")
TABLE = "users"


def by_name(connection: Connection, name: str):
    return connection.execute(text(f"SELECT * FROM users WHERE name = '{name}'")).all()  # injection


def by_percent(session: Session, name, age):
    statement = text("SELECT * FROM users WHERE name = '%s' AND age > %d" % (name, age))
    return session.execute(statement).all()


def by_format(session: Session, name: str):
    return session.execute(
        text(
            "SELECT id "  # the key
            "FROM users "
            "WHERE name = '{}'".format(name)  # the value
        )
    )


def by_plus(connection: Connection, identifier: int):
    sql = "DELETE FROM users WHERE id = " + str(identifier)
    connection.execute(text(sql))


def identifiers(connection: Connection, column: str):
    return connection.execute(text(f"SELECT {column} FROM {TABLE}"))  # no value can stand here


def constant(connection: Connection):
    return connection.execute(text(f"SELECT 1 FROM {TABLE} WHERE name = :name"), {"name": "é😀"})


def bound(connection: Connection, name: str):
    return connection.execute(text("SELECT 1 FROM users WHERE name = :name").bindparams(name=name))


def several(connection: Connection, low: int, high: int):
    return connection.exec_driver_sql(f"SELECT * FROM users WHERE age BETWEEN {low} AND {high}")
