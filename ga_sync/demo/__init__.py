"""Everything on one machine in one process: sandbox Google, server, worker, SQLite in a folder of its own."""

from ga_sync.demo.run import run

__all__ = ["run"]
