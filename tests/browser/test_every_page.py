"""Every page, in both colours and on a phone: no violation of axe-core, nothing from elsewhere, nothing cut off."""

from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Request

from ga_sync.demo.stage import Stage
from tests.browser.tour import Tour, every_stop

AXE = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
MAX_BYTES, MAX_MILLISECONDS = 60 * 1024, 100


@dataclass
class Seen:
    """What a tour saw, stop by stop."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)


def _look(page: Page, name: str, axe: str, seen: Seen) -> None:
    seen.stops.append(name)
    page.evaluate(axe)
    found = page.evaluate(AXE)
    if found:
        seen.violations[name] = [
            f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"][:3]
        ]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        seen.odd.append(f"{name} is wider than the screen")
    if page.evaluate("document.documentElement.lang") != "en" or not page.title().endswith(" · ga-sync"):
        seen.odd.append(f"{name} has no language or no title")
    if page.locator("h1").count() != 1:
        seen.odd.append(f"{name} has not one heading")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("width", "scheme"), [(1200, "light"), (390, "dark")], ids=["desk, light", "phone, dark"]
)
def test_every_page_can_be_read_by_everybody(browser: Browser, axe: str, width: int, scheme: str) -> None:
    """axe-core finds nothing; no page scrolls sideways; each has a language, a title and one heading."""
    seen, foreign = Seen(), []

    def note(request: Request) -> None:
        if not request.url.startswith("http://127.0.0.1:"):
            foreign.append(request.url)

    with Stage(port=0) as stage:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        tour = Tour(stage, context)
        tour.page.on("request", note)
        tour.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        tour.page.on(
            "console",
            lambda said: (
                seen.complaints.append(said.text) if "Content Security Policy" in said.text else None
            ),
        )
        for name in every_stop(tour):
            _look(tour.page, name, axe, seen)
        context.close()
    assert len(seen.stops) == len(set(seen.stops)) >= 30
    assert seen.violations == {}
    assert seen.odd == []
    assert seen.complaints == []
    assert foreign == []
