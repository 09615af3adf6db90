"""Pictures of every page, at a desk in light and on a phone in dark.

``python -m tests.browser.screenshots FOLDER [STOP…]``: with stops named, only those, at a desk in light, as much
as a screen shows.
"""

import sys
from pathlib import Path

from ga_sync.demo.stage import Stage
from tests.browser.tour import Tour, every_stop
from tests.chromium import chromium

SIZES = {"desk": (1200, 800), "phone": (390, 800)}


def take(folder: Path, wanted: set[str], size: str, scheme: str) -> int:
    """Walk the tour once and keep a picture of each stop that is wanted; how many were taken."""
    width, height = SIZES[size]
    taken = 0
    with Stage(port=0) as stage, chromium() as browser:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        tour = Tour(stage, context)
        for name in every_stop(tour):
            if not wanted or name in wanted:
                tour.page.screenshot(path=folder / f"{name}.{size}.{scheme}.png", full_page=not wanted)
                taken += 1
    return taken


def main(arguments: list[str]) -> int:
    """Take them all, or at a desk in light those that are named; 0 where every one was taken."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set(arguments[1:])
    rounds = [("desk", "light")] if wanted else [("desk", "light"), ("phone", "dark")]
    taken = [take(folder, wanted, size, scheme) for size, scheme in rounds]
    sys.stdout.write(f"{sum(taken)} pictures in {folder}\n")
    return 0 if not wanted or taken == [len(wanted)] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
