"""Small worlds, filters and windows for Hypothesis: few days, few segments, ids that recur often."""

from datetime import date

from hypothesis import strategies as st

from ga_sync.index.day import DayData, build_day
from ga_sync.index.expression import All, Any_, Expression, Not, Segment
from ga_sync.index.query import LinkIndex
from tests.index.model import World, day

KEY = bytes(range(32))
DAYS = [day(number) for number in range(6)]
SEGMENTS = ["1", "2", "3", "44"]
HEX = [f"{number:032x}" for number in range(8)]
ODD = [
    "a",
    "A",
    "a ",
    "\u00e9",
    "e\u0301",
    "nul\0",
    "line\n",
    HEX[1].replace("1", "A"),
    "\U0001f3a5" * 100,
    '"quoted"',
]

ids = st.sampled_from(HEX + ODD)
segment_ids = st.sampled_from([*SEGMENTS, "unknown"])
memberships = st.dictionaries(st.sampled_from(SEGMENTS), st.sets(ids, min_size=1, max_size=10), max_size=4)
days = st.sampled_from(DAYS)
worlds = st.dictionaries(days, memberships, max_size=6)
widths = st.sampled_from([64, 64, 3, 1])
"""Widths of the hash: a narrow one makes nearly all ids collide."""

expressions: st.SearchStrategy[Expression] = st.recursive(
    st.builds(Segment, segment_ids),
    lambda inner: st.one_of(
        st.builds(lambda parts: All(tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: Any_(tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


@st.composite
def windows(draw: st.DrawFn) -> tuple[date | None, date | None]:
    frm = draw(st.none() | days)
    to = draw(st.none() | days)
    return (to, frm) if frm is not None and to is not None and frm > to else (frm, to)


def built(world: World, bits: int = 64) -> dict[date, DayData]:
    return {at: build_day(segments, KEY, bits) for at, segments in world.items()}


def index_of(world: World, bits: int = 64) -> LinkIndex:
    return LinkIndex.assemble(built(world, bits), KEY, bits)
