"""What commands print: JSON for programs, tables for people; progress only on a terminal."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def visible(value: object) -> str:
    """A value as one line of text; control and bidirectional characters are shown escaped, for names are hostile."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(text: str) -> None:
    """One line on stdout, as it is."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()  # whoever reads a pipe waits for this line


def show(value: Mapping[str, Any], *, as_json: bool) -> None:
    """One object."""
    if as_json:
        plain(json.dumps(value, ensure_ascii=False))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, item in value.items():
        table.add_row(name, visible(item), style=None)
    _print(table)


def listing(items: Sequence[Mapping[str, Any]], columns: Iterable[str], *, as_json: bool) -> None:
    """A list of objects: one JSON array, or a table."""
    if as_json:
        plain(json.dumps(list(items), ensure_ascii=False))
        return
    names = list(columns)
    table = Table(*names, box=None, pad_edge=False)
    for item in items:
        table.add_row(*(visible(item.get(name)) for name in names))
    _print(table)


def _print(table: Table) -> None:
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 240)
    console.print(table)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed; aborts (exit 1) unless the answer is yes."""
    if not yes:
        typer.confirm(question, abort=True, err=True)
