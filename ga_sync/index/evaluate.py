"""The truth of a filter: over sets of numbers, and over three values for single candidates.

Both walk the tree top down; its depth is bounded by `expression`. Over sets, an AND hands what is left to its next
part, so that evaluating inside a window of a few thousand numbers touches nothing outside of it.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pyroaring import BitMap

from ga_sync.index.expression import All, Expression, Not, Segment
from ga_sync.index.ids import Flags

WIDE = 1 << 16
"""From so many numbers on, the smallest segment goes first: it costs a look at the size of each."""


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
        return _all(expression, leaf, within, covered=covered)
    found = [evaluate(part, leaf, within, covered=covered) for part in expression.parts]
    return found[0] if len(found) == 1 else found[0].union(*found[1:])


def _all(expression: All, leaf: Callable[[str], BitMap], within: BitMap, *, covered: bool) -> BitMap:
    parts: Iterable[Expression] = expression.parts
    if len(within) >= WIDE:
        members = [leaf(part.segment_id) for part in parts if isinstance(part, Segment)]
        for held in sorted(members, key=len):
            within, covered = held if covered else within & held, False
        parts = [part for part in parts if not isinstance(part, Segment)]
    for part in sorted(parts, key=_comes_late):  # what narrows goes before what removes
        if not within:
            break
        within = evaluate(part, leaf, within, covered=covered)
        covered = False
    return within


def _comes_late(part: Expression) -> bool:
    return isinstance(part, Not)


def _remove(part: Expression, leaf: Callable[[str], BitMap], within: BitMap, *, covered: bool) -> BitMap:
    if isinstance(part, Segment):
        return within - leaf(part.segment_id)
    return within - evaluate(part, leaf, within, covered=covered)


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
