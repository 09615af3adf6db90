"""A process that holds keys leaves none behind."""

import subprocess
import sys

CODE = (
    "from ga_sync.cli.secrecy import keep_memory_private\n"
    "import ctypes, resource\n"
    "keep_memory_private()\n"
    "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
)


def test_a_process_that_holds_keys_leaves_no_core_and_lets_nobody_look() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "(0, 0) 0\n"
