"""What is asked: filters from the densest to the sparsest, windows, candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from ga_sync.index.expression import All, Any_, Expression, Not, Segment
from tests.benchmarks.world import Shape


@dataclass(frozen=True, slots=True)
class Questions:
    """For one shape.

    Attributes:
        three: The largest segment and the second without the third.
        large: The largest segment alone.
        rare: Three of the smallest together: a handful of recordings, anywhere.
        mixed: A hundred filters of one to five segments, of every size and form.
        window: The thirty days that end a week ago.
    """

    three: Expression
    large: Expression
    rare: Expression
    mixed: tuple[Expression, ...]
    window: tuple[date, date]


def questions(shape: Shape, seed: int = 7) -> Questions:
    """The same for the same shape."""
    chance, leaves = Random(seed), [Segment(name) for name in shape.names]
    end = shape.last_day - timedelta(days=7)
    return Questions(
        All((leaves[0], leaves[1], Not(leaves[2]))),
        leaves[0],
        All(tuple(leaves[-3:])),
        tuple(_some(chance, leaves) for _ in range(100)),
        (end - timedelta(days=29), end),
    )


def _some(chance: Random, leaves: Sequence[Segment]) -> Expression:
    """A bounded filter of one to five different segments."""
    one, *others = chance.sample(leaves, chance.randint(1, 5))
    if not others:
        return one
    half = len(others) // 2
    parts: list[Expression] = [one, *(Not(leaf) for leaf in others[:half])]
    rest = others[half:]
    if len(rest) > 1 and chance.random() < 0.5:
        parts.append(Any_(tuple(rest)))
        return All(tuple(parts))
    if chance.random() < 0.3:
        return Any_((All(tuple(parts)), *rest))
    return All((*parts, *rest))


def as_json(expression: Expression) -> dict[str, object]:
    """The filter as the doors take it."""
    if isinstance(expression, Segment):
        return {"segment": expression.segment_id}
    if isinstance(expression, Not):
        return {"not": as_json(expression.part)}
    word = "all" if isinstance(expression, All) else "any"
    return {word: [as_json(part) for part in expression.parts]}


def candidates(known: Sequence[str], count: int, seed: int) -> list[str]:
    """Nine of ten that are held, and one that nobody knows, in no order."""
    chance = Random(seed)
    strangers = [f"{chance.getrandbits(128):032x}" for _ in range(count // 10)]
    asked = chance.sample(list(known), count - len(strangers)) + strangers
    chance.shuffle(asked)
    return asked
