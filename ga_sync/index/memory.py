"""Memory that is not needed any more, given back to the system."""

import ctypes


def give_back() -> bool:
    """Hand freed memory back where the C library can (glibc's malloc_trim(3)); whether it could.

    Assembling an index frees the bitmaps of its days in between those that stay. The allocator keeps such holes for
    itself, and a process would go on looking as large as it was at its largest moment.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
