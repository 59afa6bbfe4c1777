"""Keep the garbage collector out of parsing.

A syntax tree is hundreds of thousands of objects without a single cycle of garbage; collections that start
while it grows walk it again and again and triple the time of opening a large document. A server should
besides call `gc.collect(); gc.freeze()` once its documents are open, because one full collection of a large
tree takes longer than a hundred keystrokes. This module must never collect by itself.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def gc_guard() -> Iterator[None]:
    """No collection starts inside; afterwards the collector is as it was."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
