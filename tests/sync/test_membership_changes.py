"""What replacing days changes, against sets of pairs."""

from hypothesis import given
from hypothesis import strategies as st

from ga_sync.index.codec import DayData, decode, encode
from ga_sync.index.day import build_day
from ga_sync.sync.changes import differences, only_left, unless_held

KEY = b"k" * 32
IDS = st.sampled_from([f"{number:032x}" for number in range(8)] + ["a", "ü", "+1", "x" * 100])
MEMBERSHIPS = st.dictionaries(st.sampled_from(["1", "2", "10"]), st.sets(IDS, max_size=6), max_size=3)
DAYS = st.lists(MEMBERSHIPS, max_size=4)
BITS = st.sampled_from([64, 2, 1])
Pairs = set[tuple[str, str]]


def pairs(days: list[dict[str, set[str]]]) -> Pairs:
    """Every (segment, id) that any day shows."""
    return {(segment, one) for day in days for segment, ids in day.items() for one in ids}


def told(account: DayData) -> Pairs:
    """The account as pairs; it is written and read once, as it is stored."""
    again = decode(encode(account), KEY, account.ids.cipher.bits)
    ids = list(again.ids)
    return {(name, ids[at]) for name, bitmap in again.segments.items() for at in bitmap}


def expected(old: Pairs, new: Pairs) -> Pairs:
    """What entered and what left."""
    return {(f"+{segment}", one) for segment, one in new - old} | {
        (f"-{segment}", one) for segment, one in old - new
    }


@given(DAYS, DAYS, DAYS, BITS)
def test_an_account_is_the_difference_of_the_unions_over_all_days(
    before: list[dict[str, set[str]]],
    after: list[dict[str, set[str]]],
    others: list[dict[str, set[str]]],
    bits: int,
) -> None:
    def built(days: list[dict[str, set[str]]]) -> list[DayData]:
        return [build_day(day, KEY, bits) for day in days]

    account = differences(built(before), built(after), KEY, bits)
    for other in built(others):
        account = unless_held(account, other, KEY, bits)
    assert told(account) == expected(pairs(before + others), pairs(after + others))


@given(DAYS, DAYS, st.sets(IDS, max_size=4))
def test_an_earlier_account_says_of_the_forgotten_only_that_they_left(
    before: list[dict[str, set[str]]], after: list[dict[str, set[str]]], gone: set[str]
) -> None:
    account = differences(
        [build_day(day, KEY) for day in before], [build_day(day, KEY) for day in after], KEY
    )
    wanted = {(name, one) for name, one in told(account) if name[0] == "-" or one not in gone}
    assert told(only_left(account, sorted(gone), KEY)) == wanted
