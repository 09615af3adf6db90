"""Questions about recordings: which are in these segments, exactly, from one whole generation each."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

from ga_sync.accounts import answers
from ga_sync.accounts.errors import Invalid
from ga_sync.accounts.generation import Generations, Opened, Window
from ga_sync.accounts.names import check_recording_ids
from ga_sync.accounts.views import View, moment, segment
from ga_sync.index import heads
from ga_sync.index.cache import IndexCache
from ga_sync.index.errors import UnknownSegment
from ga_sync.index.expression import (
    Expression,
    Segment,
    refuse_unbounded,
    segments_of,
)
from ga_sync.index.notation import parse_text
from ga_sync.index.paging import Position
from models.forgets import LINK
from models.keyring import Keyring, Owner, Sealer
from models.session import Store

MAX_CANDIDATES, MAX_ASKED, MAX_EXPLAINED = 10_000, 1_000, 100


class Recordings:
    """Answers about the recordings of a link."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        cache: IndexCache,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._generations = Generations(data, keyring, cache, clock)
        self._keyring, self._random = keyring, random

    def query(
        self, link_id: str, customer_id: str, filter_: object, window: Window, limit: int, cursor: str | None
    ) -> View:
        """A page of the recordings that a filter is true of."""
        answers.check_limit(limit)
        paging = answers.Paging(customer_id, link_id, window)

        def after(expression: Expression) -> Position:
            return paging.place(self._sealer(link_id), expression, str(cursor))

        page = self._generations.page(
            link_id, customer_id, window, filter_, limit, None if cursor is None else after
        )
        # the sealer is asked for in any case: without its key the link answers nothing
        return paging.view(page, self._sealer(link_id), self._random)

    def _sealer(self, link_id: str) -> Sealer:
        return self._keyring.sealer(Owner(LINK, link_id))

    def match(
        self,
        link_id: str,
        customer_id: str,
        filter_: object,
        candidates: Sequence[tuple[str, date | None]],
        window: Window,
    ) -> View:
        """Which candidates the filter is true of, and which it may be true of; both in the order asked."""
        check_recording_ids([recording_id for recording_id, _ in candidates], MAX_CANDIDATES)
        opened = self._generations.open(link_id, customer_id, window)
        expression = self._generations.parse(filter_, opened.served.segments, bounded=False)
        return answers.matches(opened, expression, candidates)

    def count(
        self,
        link_id: str,
        customer_id: str,
        filter_: object,
        window: Window,
        by: str | None,
        among: Sequence[str] | None,
    ) -> View:
        """How many recordings the filter is true of, exactly; by day or by segment; among candidates where given."""
        if among is not None:
            check_recording_ids(among, MAX_CANDIDATES)
        opened = self._generations.open(link_id, customer_id, window)
        expression = self._generations.parse(filter_, opened.served.segments, bounded=True)
        grouped = {} if by is None else {"by": self._grouped(opened, expression, by, among)}
        answer = {**answers.total(opened, expression, among), **grouped}
        if among is None:  # the next one is answered at once
            opened.served.index.get_warm(expression, opened.window.first, opened.window.last)
        return answer

    def _grouped(
        self, opened: Opened, expression: Expression, by: str, among: Sequence[str] | None
    ) -> list[View]:
        index, first, last = opened.served.index, opened.window.first, opened.window.last
        segments = sorted(opened.served.segments, key=lambda segment: (len(segment), segment))
        counts: Sequence[tuple[date | str, int]]
        if by == "day":
            counts = (
                index.count_by_day(expression, first, last)
                if among is None
                else index.count_among_by_day(expression, among, first, last)
            )
        elif by == "segment":
            counts = (
                index.count_by_segment(expression, first, last, segments)
                if among is None
                else index.count_among_by_segment(expression, among, first, last, segments)
            )
        else:
            raise Invalid('by must be "day" or "segment"')
        return [{"key": str(key), "count": count} for key, count in counts]

    def sizes_by_day(
        self, link_id: str, customer_id: str, segment_ids: Sequence[str], window: Window
    ) -> dict[str, list[int]]:
        """How many recordings each segment has on each day held, all from one generation; days ascending."""
        opened = self._generations.open(link_id, customer_id, window)
        index, first, last = opened.served.index, opened.window.first, opened.window.last
        return {
            segment_id: [count for _, count in index.count_by_day(Segment(segment_id), first, last)]
            for segment_id in segment_ids
        }

    def segments_of(self, link_id: str, customer_id: str, recording_ids: Sequence[str]) -> View:
        """The segments of each recording; an unknown id has none."""
        asked = check_recording_ids(recording_ids, MAX_ASKED)
        opened = self._generations.open(link_id, customer_id, Window())
        members = opened.served.index.members(asked, opened.window.first, opened.window.last)
        return {
            "recordings": [
                {"recording_id": recording_id, "segment_ids": sorted(held, key=lambda s: (len(s), s))}
                for recording_id, held in zip(asked, members, strict=True)
            ],
            **opened.about(),
        }

    def explain(self, link_id: str, customer_id: str, filter_: object, recording_ids: Sequence[str]) -> View:
        """Why a filter is true of a recording or not: each of its segments, with the days that say so."""
        asked = check_recording_ids(recording_ids, MAX_EXPLAINED)
        opened = self._generations.open(link_id, customer_id, Window())
        expression = self._generations.parse(filter_, opened.served.segments, bounded=False)
        named = sorted(segments_of(expression), key=lambda segment: (len(segment), segment))
        matches = opened.served.index.match(expression, asked, opened.window.first, opened.window.last)
        return {
            "recordings": [
                {
                    "recording_id": recording_id,
                    "match": match,
                    "segments": [self._reason(opened, segment, recording_id) for segment in named],
                }
                for recording_id, match in zip(asked, matches, strict=True)
            ],
            **opened.about(),
        }

    def _reason(self, opened: Opened, segment: str, recording_id: str) -> View:
        days = [day for day in opened.served.index.days_of(segment, recording_id) if opened.window.holds(day)]
        held = opened.served.days
        return {
            "segment_id": segment,
            "member": bool(days),
            "days": [
                {"day": day.isoformat(), "state": held[day].state, "fetched_at": moment(held[day].fetched_at)}
                for day in days
            ],
        }

    def export(
        self, link_id: str, customer_id: str, text: str, window: Window
    ) -> tuple[View, Iterator[tuple[date, list[str]]]]:
        """Every recording of a filter written as text, in batches of one last-seen day; beside it ``about``."""
        opened = self._generations.open(link_id, customer_id, window)
        with self._generations.session() as session:
            names = self._generations.names(session, link_id, customer_id)
        parsed = parse_text(text, names)
        unknown = segments_of(parsed) - set(opened.served.segments)
        if unknown:
            raise UnknownSegment("the filter names a segment that this link does not have; see its segments")
        expression = refuse_unbounded(parsed)
        batches = opened.served.index.export_batches(expression, opened.window.first, opened.window.last)
        return opened.about(), batches

    def members_by_day(self, link_id: str, customer_id: str) -> Callable[[date], list[View]]:
        """What tells of a day the recording ids of each segment, from one generation; also of a paused link.

        Raises:
            NotFound: removed or another customer's.
        """
        _, served = self._generations.serve(link_id, customer_id)

        def members(day: date) -> list[View]:
            batches = {
                segment_id: served.index.export_batches(Segment(segment_id), day, day)
                for segment_id in sorted(served.segments)
            }
            found = {
                segment_id: [one for _, ids in each for one in ids] for segment_id, each in batches.items()
            }
            return [
                {"segment_id": segment_id, "recording_ids": ids} for segment_id, ids in found.items() if ids
            ]

        return members

    def segments(self, link_id: str, customer_id: str) -> tuple[list[View], View]:
        """Every segment with its size, and when the list was last checked."""
        link, served = self._generations.serve(link_id, customer_id)
        with self._generations.session() as session:
            held = heads.segments(session, self._keyring, link_id, customer_id)
        stats = served.index.segment_stats()
        about = {"segments_checked_at": moment(link.segments_checked_at), "as_of": moment(served.as_of)}
        return [segment(one, stats.get(one.segment_id)) for one in held], about
