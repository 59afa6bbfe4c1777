"""What the parameters of a function stand for while a value is followed through calls.

This module must never look a call up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.facts.values import Param, Value
    from sqlalchemy_guard.project.resolve import SourceFile

_DEEPEST = 5


class Scope:
    """A function that was entered with known arguments, or a file alone.

    Args:
        file: Where the values belong.
        function: The function that was entered, None when values are read from outside.
        arguments: What its parameters stand for, each with the scope it comes from.
        caller: The scope of the call.

    Attributes:
        depth: How many calls deep this is.
    """

    __slots__ = ("arguments", "caller", "depth", "file", "function")

    def __init__(
        self,
        file: SourceFile,
        function: FunctionFacts | None = None,
        arguments: dict[str, tuple[Value, Scope]] | None = None,
        caller: Scope | None = None,
    ) -> None:
        self.file = file
        self.function = function
        self.arguments = arguments or {}
        self.caller = caller
        self.depth: int = caller.depth + 1 if caller is not None else 0

    def bound(self, parameter: Param) -> tuple[Value, Scope] | None:
        """What a parameter stands for."""
        scope: Scope | None = self
        while scope is not None:
            if scope.function is not None and scope.function.qualname == parameter.qualname:
                return scope.arguments.get(parameter.name)
            if scope.function is None or not scope.function.qualname.startswith(f"{parameter.qualname}."):
                return None
            # A nested function sees the parameters of the functions around it, when those called it.
            scope = scope.caller
        return None

    def elsewhere(self, file: SourceFile) -> Scope:
        """The scope of what a file says outside of any function that was entered."""
        return self if file is self.file else Scope(file)

    def may_enter(self, function: FunctionFacts) -> bool:
        """Whether a function is not being followed already, and not too deep."""
        scope: Scope | None = self
        while scope is not None:
            if scope.function is function:
                return False
            scope = scope.caller
        return self.depth < _DEEPEST
