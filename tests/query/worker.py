"""Compares both sides of rewrites on another SQLAlchemy: a question a line comes in, an answer a line goes out.

Started by `versions` with the folder of that SQLAlchemy in front of the path. This module must never rewrite anything.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(site: str, *paths: str) -> None:
    """Answer until there are no more questions.

    Args:
        site: The folder that holds the SQLAlchemy to ask.
        paths: Where the tests and the server are.
    """
    sys.path[:0] = [site, *paths]
    import sqlalchemy

    from sqlalchemy_guard.facts.query import Consumer
    from tests.query import execution

    def difference(old: str, new: str, consumer: str) -> str | None:
        return execution.difference(old, new, Consumer[consumer])

    def version() -> str:
        return sqlalchemy.__version__

    questions: dict[str, Any] = {
        each.__name__: each for each in (difference, execution.difference_of_programs, version)
    }
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answer: Any = questions[name](*arguments)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
