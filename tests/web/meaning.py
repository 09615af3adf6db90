"""A check for schemathesis: what fits the document is refused for its meaning alone, which no document can say.

Such as a segment that the link does not have. A refusal of shape would mean that the document keeps something back.
"""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, Response

SLUGS = {"unknown-segment", "filter-unbounded", "cursor-invalid", "property-unreadable", "dimension-unknown"}
SENTENCES = (
    "return_url must",
    "from lies after to",
    "a filter nests",
    "the filter nests",
    "the filter has more",
    "the body nests",
    "Expected `int`, got `float`",
    "Expected `int | null`, got `float`",  # JSON Schema calls 1.0 an integer, too
)


@schemathesis.check
def refused_for_its_meaning(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """422 for a request that fits the document has a reason that the document cannot name."""
    if (
        response.status_code != 422
        or case.meta is None
        or case.meta.generation.mode != GenerationMode.POSITIVE
    ):
        return
    problem = response.json()
    named = problem["type"].removeprefix("/problems/") in SLUGS or problem["detail"].startswith(SENTENCES)
    assert named, f"the document does not say why: {problem['detail']}"
