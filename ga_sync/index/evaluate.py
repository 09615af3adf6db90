"""The truth of a filter: over sets of numbers, and over three values for single candidates.

Both walk the tree top down; its depth is bounded by `expression`. Over sets, an AND hands what is left to its next
part, so that evaluating inside a window of a few thousand numbers touches nothing outside of it, and that a plan, which
has the smallest parts first, costs what the smallest of them costs.
"""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

from pyroaring import BitMap

from ga_sync.index.expression import All, Any_, Expression, Not, Segment
from ga_sync.index.ids import Flags

LEAP = 64
"""Between sets of which one is so many times as large as the other, an intersection is cheaper than a difference."""


class Plan(NamedTuple):
    """A filter as it is best evaluated.

    Attributes:
        expression: The same filter: in each AND segments first, the smallest before all, and what removes last.
        share: A guess of which share of all numbers it is true of, as if segments were independent; 0 to 1.
    """

    expression: Expression
    share: float


def plan(expression: Expression, leaf: Callable[[str], BitMap], size: int) -> Plan:
    """Order a filter by the sizes of its segments, of `size` numbers in all."""
    if isinstance(expression, Segment):
        return Plan(expression, len(leaf(expression.segment_id)) / max(1, size))
    if isinstance(expression, Not):
        part, share = plan(expression.part, leaf, size)
        return Plan(Not(part), 1 - share)
    plans = [plan(part, leaf, size) for part in expression.parts]
    if isinstance(expression, All):
        parts = tuple(one.expression for one in sorted(plans, key=_cost))
        return Plan(All(parts), prod([one.share for one in plans]))
    parts = tuple(one.expression for one in plans)
    return Plan(Any_(parts), 1 - prod([1 - one.share for one in plans]))


def _cost(one: Plan) -> tuple[int, float]:
    kind = 0 if isinstance(one.expression, Segment) else 2 if isinstance(one.expression, Not) else 1
    return kind, one.share


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
        members = leaf(part.segment_id)
        # a few among many are found by leaps, but removed by steps
        return within - (within & members if LEAP * len(within) < len(members) else members)
    return within - evaluate(part, leaf, within, covered=covered)


def cardinality(
    expression: Expression, leaf: Callable[[str], BitMap], within: BitMap, *, covered: bool = False
) -> int:
    """Count what `evaluate` would give: its last step is counted and not carried out."""
    if isinstance(expression, Segment):
        members = leaf(expression.segment_id)
        return len(members) if covered else within.intersection_cardinality(members)
    if isinstance(expression, Not):
        if isinstance(expression.part, Segment):
            return within.difference_cardinality(leaf(expression.part.segment_id))
        return len(within) - cardinality(expression.part, leaf, within, covered=covered)
    if isinstance(expression, All):
        for part in expression.parts[:-1]:
            within, covered = evaluate(part, leaf, within, covered=covered), False
        return cardinality(expression.parts[-1], leaf, within, covered=covered)
    return len(evaluate(expression, leaf, within, covered=covered))


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
