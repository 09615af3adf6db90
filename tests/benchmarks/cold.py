"""One cold start in a process of its own: `python -m tests.benchmarks.cold FOLDER`, an answer in JSON."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from ga_sync.index import store as index_store
from tests.benchmarks.questions import questions
from tests.benchmarks.shelf import CUSTOMER, Shelf, resident
from tests.benchmarks.world import Shape


def main(folder: Path, recordings: int, segments: int) -> dict[str, float]:
    """Milliseconds to the first page and to the whole index; bytes before and after."""
    shelf = Shelf(folder)
    shelf.sealer()
    asked = questions(Shape(recordings, datetime.now(UTC).date(), segments=segments))
    before = resident()
    cache = shelf.cache()
    began = time.perf_counter()
    with shelf.stores.data.reading() as session:
        link = index_store.link(session, shelf.link_id, CUSTOMER)
        assert link is not None
        with cache.glance(session, link) as glance:
            assert glance is not None
            page = glance.page(asked.three, None, None, 50)
    first = time.perf_counter() - began
    del cache, glance
    cold = shelf.cache()
    began = time.perf_counter()
    served = shelf.serve(cold)
    same = served.index.query(asked.three, None, None, None, 50)
    whole = time.perf_counter() - began
    assert page == same, "the first page must be what the whole index says"
    served.index.warm()
    return {
        "first": first * 1e3,
        "whole": whole * 1e3,
        "before": before,
        "resident": resident(),
        "index": served.nbytes,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
