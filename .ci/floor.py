#!/usr/bin/env python3
"""Refuse a test run that leaves too many branches, or any `except`, untried.

    coverage json -q -o - | python .ci/floor.py PERCENT

Reads coverage.py's JSON report (https://coverage.readthedocs.io/en/latest/commands/cmd_json.html) from
standard input. Exit 0: branches reach PERCENT and every handler ran; 1: they do not, or branches were not measured;
2: no number was given. What is missing is printed in any case.
"""

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

USAGE = "usage: floor.py PERCENT < coverage.json\n"


def branch_percent(totals: Mapping[str, Any]) -> float:
    """Branches taken out of all branches, in percent; 100 where there are none."""
    count: int = totals["num_branches"]
    covered: int = totals["covered_branches"]
    return 100.0 * covered / count if count else 100.0


def handlers(source: str) -> Iterator[int]:
    """The first line of the body of each `except` in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            yield node.body[0].lineno


def untried(files: Mapping[str, Any]) -> list[str]:
    """Where a handler never ran: `path:line`, in order."""
    return [
        f"{path}:{line}"
        for path, measured in sorted(files.items())
        for line in sorted(handlers(Path(path).read_text(encoding="utf-8")))
        if line in measured["missing_lines"]
    ]


def main(arguments: list[str]) -> int:
    """Judge the report on standard input by the percentage in the arguments."""
    if len(arguments) != 1 or not arguments[0].isdecimal():
        sys.stderr.write(USAGE)
        return 2
    floor = int(arguments[0])
    report = json.load(sys.stdin)
    if "num_branches" not in report["totals"]:
        sys.stderr.write("the run measured no branches: was pytest called with --cov-branch?\n")
        return 1
    percent, missing = branch_percent(report["totals"]), untried(report["files"])
    sys.stdout.write(f"branches tried: {percent:.2f} % (at least {floor} %)\n")
    sys.stdout.writelines(f"no test enters this except: {place}\n" for place in missing)
    return 1 if percent < floor or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
