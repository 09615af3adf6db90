"""``ga-sync demo``: set the stage, then show it or walk the whole story."""

import threading
from collections.abc import Callable

from ga_sync.demo.stage import Stage
from ga_sync.demo.story import Mismatch, Story

Tell = Callable[[str], None]


def run(*, auto: bool, to_the_end: bool, port: int, tell: Tell) -> bool:
    """Run the demonstration; False where an answer differed from what the sandbox knows to be true."""
    with Stage(port=0 if to_the_end else port) as stage:
        story = Story(stage, tell)
        try:
            if auto:
                story.consent_by_itself()
            else:
                story.consent_in_the_browser()
            story.link_and_sync()
            if to_the_end:
                story.walk()
                return True
        except Mismatch as wrong:
            tell(f"WRONG: {wrong}")
            return False
        story.invite()
        until_interrupted()
    return True


def until_interrupted() -> None:
    """Wait for Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
