"""Leaving when the client has gone without a word.

Its process is watched, because a pipe may be held open by others. This module must never signal a process.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from sqlalchemy_guard.logs import Log

if TYPE_CHECKING:
    from collections.abc import Callable

log = Log(__name__)

POLL = 2.0
"""Seconds between two looks where the system cannot wait for a process."""


def watch_process(process_id: int, gone: Callable[[], None]) -> bool:
    """Call `gone`, from another thread, once a process has ended.

    Returns:
        Whether it is watched. A process that is not there to begin with is not: the client may run on another machine
        or in another container.
    """
    wait = _waiter(process_id)
    if wait is None:
        log.info("the client's process %d cannot be seen from here", process_id)
        return False

    def run() -> None:
        wait()
        log.info("the client's process %d has ended", process_id)
        gone()

    threading.Thread(target=run, name="client watch", daemon=True).start()
    return True


if sys.platform == "win32":

    def _waiter(process_id: int) -> Callable[[], None] | None:
        """What blocks until the process has ended, None when there is none. (`os.kill` would end it.)"""
        import ctypes

        synchronize, infinite = 0x00100000, 0xFFFFFFFF
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        kernel.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
        kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
        handle = kernel.OpenProcess(synchronize, False, process_id)
        if not handle:
            return None

        def wait() -> None:
            kernel.WaitForSingleObject(handle, infinite)
            kernel.CloseHandle(handle)

        return wait

else:

    def _waiter(process_id: int) -> Callable[[], None] | None:
        """What blocks until the process has ended, None when there is none."""
        if process_id <= 0 or not _is_alive(process_id):
            return None
        if hasattr(os, "pidfd_open"):
            try:
                descriptor = os.pidfd_open(process_id)
            except OSError as error:
                log.debug("no descriptor of process %d: %s", process_id, error)
            else:
                return lambda: _wait_readable(descriptor)
        return lambda: _poll(process_id)

    def _wait_readable(descriptor: int) -> None:
        import select

        try:
            # Not `select`, which cannot wait for descriptors above 1023.
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
        finally:
            os.close(descriptor)

    def _poll(process_id: int) -> None:
        pause = threading.Event()
        while _is_alive(process_id):
            pause.wait(POLL)

    def _is_alive(process_id: int) -> bool:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
