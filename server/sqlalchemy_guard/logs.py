"""Loggers of the standard library that cost nothing until something is said.

Importing `logging` takes as long as twenty of our own modules, and a server that starts has nothing to say. This module must
never import it before a message needs it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_wanted: list[str] = []
"""The level to begin with, as long as nobody has begun."""


class Log:
    """A logger that is looked up at its first message.

    Args:
        name: The logger's name: the module's.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def debug(self, message: str, *arguments: object) -> None:
        """Say what helps to follow the program's steps."""
        self._logger().debug(message, *arguments, stacklevel=2)

    def info(self, message: str, *arguments: object) -> None:
        """Say what happened as it should."""
        self._logger().info(message, *arguments, stacklevel=2)

    def warning(self, message: str, *arguments: object) -> None:
        """Say what is not as it should be, and was worked around."""
        self._logger().warning(message, *arguments, stacklevel=2)

    def error(self, message: str, *arguments: object) -> None:
        """Say what failed."""
        self._logger().error(message, *arguments, stacklevel=2)

    def exception(self, message: str, *arguments: object, exc_info: BaseException | bool = True) -> None:
        """Say what failed, with the traceback of the exception in hand, or of the one given."""
        self._logger().error(message, *arguments, exc_info=exc_info, stacklevel=2)

    def _logger(self) -> logging.Logger:
        import logging

        begin()
        return logging.getLogger(self.name)


def configure(level: str) -> None:
    """Have messages of a level (`debug`, `info`, `warning`, `error`) and above written to standard error, once there are some."""
    _wanted[:] = [level.upper()]


def begin() -> None:
    """Do what `configure` asked for; to be called by whoever imports what logs by itself."""
    if _wanted:
        import logging

        logging.basicConfig(stream=sys.stderr, level=_wanted.pop(), format=FORMAT)
