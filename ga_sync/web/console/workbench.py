"""The console: links, segments, the filter builder with its count and its list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from litestar import get
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts import store
from ga_sync.accounts.errors import Refusal
from ga_sync.accounts.generation import Window
from ga_sync.accounts.views import View
from ga_sync.index.errors import FilterIndexError
from ga_sync.index.expression import Expression, to_json
from ga_sync.index.notation import parse_text
from ga_sync.web.console.drawing import points
from ga_sync.web.console.viewer import Asked, Viewer, customer_of_link, viewer
from ga_sync.web.console.wish import Wish, act, expression_of, read_wish, without_unknown, write_wish
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread

LINKS_SHOWN, SEGMENTS_SHOWN, RECORDINGS_SHOWN = 50, 30, 25
SPARK_DAYS, SPARK_WIDTH, SPARK_HEIGHT = 30, 96, 24


@get("/console", include_in_schema=False)
@in_thread
def home(request: Asked, services: Wired) -> Template:
    """The links that this person may see."""
    who = viewer(request, services)
    after = request.query_params.get("after", "")
    found = services.links.page(who.only, store.Page(after, LINKS_SHOWN + 1))
    links = [link for _, link in found[:LINKS_SHOWN] if link is not None]
    following = found[LINKS_SHOWN - 1][0] if len(found) > LINKS_SHOWN else None
    return Template("console/links.html", context={"who": who, "links": links, "following": following})


@dataclass(frozen=True, slots=True)
class Bench:
    """One link on the workbench."""

    services: Services
    link_id: str
    customer_id: str

    def segments(self) -> tuple[list[View], View]:
        """Every segment, the largest first, and when they were checked."""
        found, about = self.services.recordings.segments(self.link_id, self.customer_id)
        return sorted(found, key=lambda one: (-int(one["recordings"]), str(one["segment_id"]))), about

    def sparks(self, segment_ids: Sequence[str], today: date) -> dict[str, str]:
        """Each segment's recordings a day over the last thirty days, as points of a line."""
        window = Window(today - timedelta(days=SPARK_DAYS), None)
        sizes = self.services.recordings.sizes_by_day(self.link_id, self.customer_id, segment_ids, window)
        return {segment_id: points(days, SPARK_WIDTH, SPARK_HEIGHT) for segment_id, days in sizes.items()}

    def answer(self, expression: object, window: Window, cursor: str | None) -> dict[str, Any]:
        """The count, one page of the list, and each recording's segments."""
        ask, at = self.services.recordings, (self.link_id, self.customer_id)
        counted = ask.count(*at, expression, window, None, None)
        listed = ask.query(*at, expression, window, RECORDINGS_SHOWN, cursor)
        told = ask.segments_of(*at, listed["recording_ids"])["recordings"]
        return {**counted, "recordings": told, "next_cursor": listed["next_cursor"]}


def _asked_for(wish: Wish, segments: Mapping[str, View]) -> Expression | None:
    """The filter of the text where there is one, of the groups otherwise. Raises FilterIndexError."""
    if not wish.text:
        return expression_of(wish, list(segments))
    names: dict[str, list[str]] = {}
    for segment_id, one in segments.items():
        for name in {one["name"], one["label"]} - {None}:
            names.setdefault(name, []).append(segment_id)
    return parse_text(wish.text, names)


def _answered(wish: Wish, segments: Mapping[str, View], bench: Bench, cursor: str | None) -> dict[str, Any]:
    """The answer, or in ``problem`` why there is none."""
    try:
        found, window = _asked_for(wish, segments), Window(wish.first, wish.last)
        if found is None:
            return {"problem": "This link has no segment yet.", "expression": None}
        expression = to_json(found)
        return {"problem": None, "expression": expression, **bench.answer(expression, window, cursor)}
    except (FilterIndexError, Refusal) as refused:
        return {"problem": str(refused), "expression": None}


@get("/console/links/{link_id:str}", include_in_schema=False)
@in_thread
def workbench(request: Asked, link_id: FromPath[str], services: Wired) -> Template | Redirect:
    """Segments beside the filter that is built from them; the address holds the whole question."""
    who = viewer(request, services)
    bench = Bench(services, link_id, customer_of_link(services, who, link_id))
    query = request.query_params
    wish = read_wish(list(query.multi_items()))
    if "do" in query:
        words = query.get("s", "")[:100]
        return Redirect(
            f"/console/links/{link_id}?{write_wish(act(wish, query['do']), s=words)}", status_code=303
        )
    return Template("console/workbench.html", context=_bench_context(who, bench, wish, request))


def _bench_context(who: Viewer, bench: Bench, asked: Wish, request: Asked) -> dict[str, Any]:
    link = bench.services.links.view(bench.link_id, bench.customer_id)
    listed, about = bench.segments()
    segments = {str(one["segment_id"]): one for one in listed}
    wish, dropped = without_unknown(asked, segments)
    words = request.query_params.get("s", "")[:100]
    found = [one for one in listed if words.casefold() in _names(one)]
    rows, today = found[:SEGMENTS_SHOWN], bench.services.clock().date()
    shown = [str(one["segment_id"]) for one in rows]
    sparks = {} if link["status"] == "paused" else bench.sparks(shown, today)
    answer = _answered(wish, segments, bench, request.query_params.get("cursor"))
    return {
        "who": who,
        "link": link,
        "segments": segments,
        "found": len(found),
        "rows": rows,
        "sparks": sparks,
        "checked_at": about["segments_checked_at"],
        "wish": wish,
        "dropped": dropped,
        "words": words,
        "answer": answer,
        "here": write_wish(wish),
    }


def _names(segment: View) -> str:
    return f"{segment['name']} {segment['label'] or ''} {segment['segment_id']}".casefold()
