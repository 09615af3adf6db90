"""What a person wants to see, as an address that can be shared, and how each click changes it (pure).

A wish is groups of segments, each ``any`` of them, ``all`` of them or ``none`` of them, joined by ``all`` or ``any``;
or a filter written as text. With days, it is the query of the page's address: ``g=any.1.2&g=none.3&join=any&from=…``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote, urlencode

from ga_sync.index.expression import All, Any_, Expression, Not, Segment

OPERATORS = ("any", "all", "none")
MOST_GROUPS, LONGEST_TEXT = 12, 4000


@dataclass(frozen=True, slots=True)
class Group:
    """Segments and how they count: ``any``, ``all`` or ``none`` of them."""

    operator: str
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """Groups, or a text; ``join`` is how the groups count together, ``at`` the group that segments are added to."""

    groups: tuple[Group, ...] = ()
    join: str = "all"
    first: date | None = None
    last: date | None = None
    text: str = ""
    at: int = 0

    @property
    def chosen(self) -> frozenset[str]:
        """Every segment of every group."""
        return self.included | self.excluded

    @property
    def included(self) -> frozenset[str]:
        """Every segment of the groups that include."""
        return frozenset(one for group in self.groups if group.operator != "none" for one in group.segments)

    @property
    def excluded(self) -> frozenset[str]:
        """Every segment of the groups that exclude."""
        return frozenset(one for group in self.groups if group.operator == "none" for one in group.segments)


def read_wish(query: Sequence[tuple[str, str]]) -> Wish:
    """The wish of an address; whatever cannot be read is left out, never an error."""
    given = dict(query)
    groups = [_read_group(value) for name, value in query if name == "g"][:MOST_GROUPS]
    return Wish(
        groups=tuple(group for group in groups if group is not None),
        join="any" if given.get("join") == "any" else "all",
        first=read_day(given.get("from", "")),
        last=read_day(given.get("to", "")),
        text=given.get("filter", "").strip()[:LONGEST_TEXT],
        at=_read_number(given.get("at", "")),
    )


def _read_group(value: str) -> Group | None:
    operator, *segments = value.split(".")
    if operator not in OPERATORS:
        return None
    return Group(operator, tuple(dict.fromkeys(segment for segment in segments if segment)))


def _read_number(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 3 else 0  # noqa: PLR2004 -- two digits


def read_day(value: str) -> date | None:
    """A day as ``YYYY-MM-DD``; None for anything else."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def write_wish(wish: Wish, **more: str) -> str:
    """The query of the address, with ``more`` behind; equal wishes give equal addresses."""
    pairs = [("g", ".".join((group.operator, *group.segments))) for group in wish.groups]
    rest = {
        "join": wish.join if wish.join != "all" else "",
        "from": wish.first.isoformat() if wish.first else "",
        "to": wish.last.isoformat() if wish.last else "",
        "filter": wish.text,
        "at": str(wish.at) if wish.at else "",
        **more,
    }
    return urlencode([*pairs, *((name, value) for name, value in rest.items() if value)], quote_via=quote)


def without_unknown(wish: Wish, known: Collection[str]) -> tuple[Wish, int]:
    """The wish without segments that the link does not have, and how many those were."""
    groups = tuple(
        Group(group.operator, tuple(one for one in group.segments if one in known)) for group in wish.groups
    )
    dropped = sum(len(group.segments) for group in wish.groups) - sum(len(group.segments) for group in groups)
    return replace(wish, groups=groups), dropped


def act(wish: Wish, action: str) -> Wish:
    """The wish after one click; an unknown action changes nothing.

    ``add:ID``, ``not:ID``, ``drop:GROUP:ID``, ``op:GROUP:any``, ``at:GROUP``, ``group``, ``join:any``, ``text:`` and
    ``clear``.
    """
    verb, _, rest = action.partition(":")
    where, _, what = rest.partition(":")
    actions: Mapping[str, Wish] = {
        "add": _added(wish, rest) if verb == "add" else wish,
        "not": _excluded(wish, rest) if verb == "not" else wish,
        "drop": _dropped(wish, _read_number(where), what) if verb == "drop" else wish,
        "op": _operated(wish, _read_number(where), what) if verb == "op" else wish,
        "at": replace(wish, at=_read_number(where)),
        "group": _grouped(wish) if verb == "group" else wish,
        "join": replace(wish, join="any" if where == "any" else "all"),
        "text": replace(wish, text=""),
        "clear": Wish(),
    }
    return actions.get(verb, wish)


def _added(wish: Wish, segment: str) -> Wish:
    """Into the chosen group, or the first that includes, or a new one; out of those that exclude it."""
    cleaned = [_without(group, segment) if group.operator == "none" else group for group in wish.groups]
    including = [number for number, group in enumerate(cleaned) if group.operator != "none"]
    if not including:
        return replace(wish, groups=(Group("any", (segment,)), *cleaned), at=0)
    at = wish.at if wish.at in including else including[0]
    cleaned[at] = _with(cleaned[at], segment)
    return replace(wish, groups=tuple(cleaned), at=at)


def _excluded(wish: Wish, segment: str) -> Wish:
    cleaned = [_without(group, segment) if group.operator != "none" else group for group in wish.groups]
    none = next((number for number, group in enumerate(cleaned) if group.operator == "none"), None)
    if none is None:
        return replace(wish, groups=(*cleaned, Group("none", (segment,))))
    cleaned[none] = _with(cleaned[none], segment)
    return replace(wish, groups=tuple(cleaned))


def _with(group: Group, segment: str) -> Group:
    return Group(group.operator, tuple(dict.fromkeys((*group.segments, segment))))


def _without(group: Group, segment: str) -> Group:
    return Group(group.operator, tuple(one for one in group.segments if one != segment))


def _dropped(wish: Wish, number: int, segment: str) -> Wish:
    """Without a segment of a group, or without the group where no segment is named; empty groups go."""
    groups = [
        _without(group, segment) if at == number and segment else group
        for at, group in enumerate(wish.groups)
        if at != number or segment
    ]
    return replace(wish, groups=tuple(group for group in groups if group.segments), at=0)


def _operated(wish: Wish, number: int, operator: str) -> Wish:
    if operator not in OPERATORS:
        return wish
    groups = tuple(
        Group(operator, group.segments) if at == number else group for at, group in enumerate(wish.groups)
    )
    return replace(wish, groups=groups)


def _grouped(wish: Wish) -> Wish:
    """With one more, empty group, chosen to be filled."""
    if len(wish.groups) >= MOST_GROUPS or any(not group.segments for group in wish.groups):
        return wish
    return replace(wish, groups=(*wish.groups, Group("any")), at=len(wish.groups))


def expression_of(wish: Wish, every: Sequence[str]) -> Expression | None:
    """The filter of the groups; nothing chosen means every recording of any segment; None where there is none."""
    parts = [_part(group) for group in wish.groups if group.segments]
    if not parts:
        return Any_(tuple(Segment(one) for one in every)) if every else None
    if len(parts) == 1:
        return parts[0]
    return All(tuple(parts)) if wish.join == "all" else Any_(tuple(parts))


def _part(group: Group) -> Expression:
    segments = tuple(Segment(one) for one in group.segments)
    if group.operator == "none":
        return Not(segments[0] if len(segments) == 1 else Any_(segments))
    if len(segments) == 1:
        return segments[0]
    return Any_(segments) if group.operator == "any" else All(segments)
