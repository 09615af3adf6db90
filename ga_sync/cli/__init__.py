"""The command line. ``main`` turns what goes wrong into a sentence and an exit code."""

from ga_sync.cli.app import main

__all__ = ["main"]
