"""The truth of a filter: over sets of numbers, and over three values for single candidates.

Both walk the tree top down; its depth is bounded by `expression`. Over sets, an AND hands what is left to its next
part, so that evaluating inside a window of a few thousand numbers touches nothing outside of it, and that a plan, which
has the smallest parts first, costs what the smallest of them costs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from pyroaring import BitMap

from ga_sync.index.expression import All, Any_, Expression, Not, Segment, is_unbounded
from ga_sync.index.ids import Flags

LEAP = 64
"""Between sets of which one is so many times as large as the other, an intersection is cheaper than a difference."""
DENSE = 16
"""Where more than one number of so many is in a set, roaring keeps that part of it as bits."""


class Prepared(NamedTuple):
    """A plan whose segments are at hand, so that no question looks them up again: read them, never change them.

    Attributes:
        held: The segments that an AND asks for, or the one that stands alone; the smallest first.
        parts: What else it asks for, and what it removes that is more than a segment.
        removed: The segments that it removes.
    """

    held: tuple[BitMap, ...]
    parts: tuple[Expression, ...]
    removed: tuple[BitMap, ...]


class Counted(NamedTuple):
    """A plan as it is counted: its last step is counted and not carried out.

    Attributes:
        rest: All but the last step.
        last: The segment of the last step, or None where it is more than a segment: then `rest` is all of it.
        meets: Whether to count who of the rest is in it, or who is not.
    """

    rest: Prepared
    last: BitMap | None
    meets: bool


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A filter as it is best evaluated. Compared by identity.

    Attributes:
        expression: The same filter: in each AND segments first, the smallest before all, and what removes last.
        share: A guess of which share of all numbers it is true of, as if segments were independent; 0 to 1.
        prepared: The same as `expression`.
        counted: The same for counts.
        of_nobody: Whether it is true of a recording in no segment.
    """

    expression: Expression
    share: float
    prepared: Prepared
    counted: Counted
    of_nobody: bool


def plan(expression: Expression, leaf: Callable[[str], BitMap], size: int) -> Plan:
    """Order a filter by the sizes of its segments, of `size` numbers in all."""
    ordered, share = _ordered(expression, leaf, size)
    prepared = prepare(ordered, leaf)
    return Plan(ordered, share, prepared, to_count(prepared), is_unbounded(ordered))


def _ordered(expression: Expression, leaf: Callable[[str], BitMap], size: int) -> tuple[Expression, float]:
    if isinstance(expression, Segment):
        return expression, len(leaf(expression.segment_id)) / max(1, size)
    if isinstance(expression, Not):
        part, share = _ordered(expression.part, leaf, size)
        return Not(part), 1 - share
    ordered = [_ordered(part, leaf, size) for part in expression.parts]
    if isinstance(expression, All):
        parts = tuple(part for part, _ in sorted(ordered, key=_cost))
        return All(parts), prod([share for _, share in ordered])
    return Any_(tuple(part for part, _ in ordered)), 1 - prod([1 - share for _, share in ordered])


def _cost(one: tuple[Expression, float]) -> tuple[int, float]:
    part, share = one
    return 0 if isinstance(part, Segment) else 2 if isinstance(part, Not) else 1, share


def evaluate(
    expression: Expression, leaf: Callable[[str], BitMap], within: BitMap, *, covered: bool = False
) -> BitMap:
    """Give the numbers of `within` that the filter is true of.

    Args:
        expression: The filter; an unbounded one is answered relative to `within`.
        leaf: The numbers in a segment. They are read, never changed; so must the result be.
        within: The universe.
        covered: The caller knows that `within` holds every number of every leaf, which spares an intersection.
    """
    if isinstance(expression, Segment):
        members = leaf(expression.segment_id)
        return members if covered else within & members
    if isinstance(expression, Not):
        return _remove(expression.part, leaf, within, covered=covered)
    if isinstance(expression, All):
        for part in expression.parts:
            if not within:
                break
            within, covered = evaluate(part, leaf, within, covered=covered), False
        return within
    found = [evaluate(part, leaf, within, covered=covered) for part in expression.parts]
    return found[0] if len(found) == 1 else found[0].union(*found[1:])


def _remove(part: Expression, leaf: Callable[[str], BitMap], within: BitMap, *, covered: bool) -> BitMap:
    if isinstance(part, Segment):
        return without(within, leaf(part.segment_id))
    return within - evaluate(part, leaf, within, covered=covered)


def without(within: BitMap, members: BitMap) -> BitMap:
    """Give what is not among the members."""
    return within - _to_remove(within, members)


def _to_remove(within: BitMap, members: BitMap) -> BitMap:
    """Give what there is of the members, or all of them: a few among many are found by leaps, but removed by steps."""
    is_few = LEAP * len(within) < len(members)
    return within & members if is_few and not _is_dense(members) else members


def _is_dense(members: BitMap) -> bool:
    """Say of a set that is not empty whether most of it is held as bits."""
    return DENSE * len(members) > members.max()


def prepare(planned: Expression, leaf: Callable[[str], BitMap]) -> Prepared:
    """Look up the segments of a filter that `plan` has put in order."""
    held: list[BitMap] = []
    others: list[Expression] = []
    removed: list[BitMap] = []
    for part in planned.parts if isinstance(planned, All) else (planned,):
        if isinstance(part, Segment):
            held.append(leaf(part.segment_id))
        elif isinstance(part, Not) and isinstance(part.part, Segment):
            removed.append(leaf(part.part.segment_id))
        else:
            others.append(part)
    return Prepared(tuple(held), tuple(others), tuple(removed))


def among(
    prepared: Prepared, leaf: Callable[[str], BitMap], within: BitMap, *, covered: bool = False
) -> BitMap:
    """Give what `evaluate` gives for the filter that was prepared, with the same arguments."""
    held, parts, removed = prepared
    if covered and held:
        within, held, covered = held[0], held[1:], False
    if held:
        within, covered = within & held[0], False
    for members in held[1:]:
        within &= members  # it is ours since the first, and what is ours is changed sooner than made anew
    for part in parts:
        within, covered = evaluate(part, leaf, within, covered=covered), False
    if removed:
        within = without(within, removed[0])
    for members in removed[1:]:
        within -= _to_remove(within, members)
    return within


def to_count(prepared: Prepared) -> Counted:
    """Choose what is counted last.

    Of sets held as bits, it is quicker to remove first and to count what meets: roaring counts that without a copy.
    """
    held, parts, removed = prepared
    if parts or not held:
        return Counted(prepared, None, meets=False)
    if removed and (len(held) == 1 or not held[0] or not _is_dense(held[0])):
        return Counted(Prepared(held, (), removed[:-1]), removed[-1], meets=False)
    return Counted(Prepared(held[:-1], (), removed), held[-1], meets=True)


def count_among(
    counted: Counted, leaf: Callable[[str], BitMap], within: BitMap, *, covered: bool = False
) -> int:
    """Count what `among` gives for the filter that was prepared, with the same arguments."""
    rest, last, meets = counted
    if covered and meets and last is not None and not rest.held:
        return len(last)
    found = among(rest, leaf, within, covered=covered)
    if last is None:
        return len(found)
    return found.intersection_cardinality(last) if meets else found.difference_cardinality(last)


class Kleene(NamedTuple):
    """Three-valued truth of n candidates: known true, known false; neither where unknown. Both of shape (n,)."""

    true: Flags
    false: Flags


def kleene(expression: Expression, leaf: Callable[[str], Kleene]) -> Kleene:
    """Join what is known of each segment by Kleene's strong AND, OR and NOT.

    See S. C. Kleene, Introduction to Metamathematics (1952), section 64.
    """
    if isinstance(expression, Segment):
        return leaf(expression.segment_id)
    if isinstance(expression, Not):
        true, false = kleene(expression.part, leaf)
        return Kleene(false, true)
    known = [kleene(part, leaf) for part in expression.parts]
    true, false = known[0]
    for part in known[1:]:
        if isinstance(expression, All):
            true, false = true & part.true, false | part.false
        else:
            true, false = true | part.true, false & part.false
    return Kleene(true, false)
