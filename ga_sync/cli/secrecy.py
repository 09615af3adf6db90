"""What the operating system must not keep of a process that holds keys."""

import ctypes
import resource
import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """No core file, and no debugger of the same user (https://man7.org/linux/man-pages/man2/prctl.2.html).

    Keys in memory cannot be wiped reliably from Python; this keeps them from reaching a disk by a crash.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
