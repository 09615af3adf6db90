"""Errors of the framework, as our problems."""

from typing import Any, cast

import pytest
from litestar.exceptions import ClientException, HTTPException, InternalServerException, ValidationException
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ga_sync.web.errors import on_database, on_http, on_validation

REQUEST = cast("Any", None)


@pytest.mark.parametrize(
    ("error", "slug", "status"),
    [
        (ClientException(status_code=400), "malformed", 400),
        (HTTPException(status_code=415), "malformed", 400),
        (InternalServerException(), "internal", 500),
    ],
)
def test_what_the_framework_says_is_one_of_our_problems(error: HTTPException, slug: str, status: int) -> None:
    problem = on_http(REQUEST, error)
    assert problem.status_code == status
    assert problem.content["type"] == f"/problems/{slug}"


def test_an_exhausted_pool_is_503() -> None:
    assert on_database(REQUEST, PoolTimeout()).status_code == 503


@pytest.mark.parametrize("extra", [None, {}, [], ["x"], [{"key": "limit", "message": "too large"}]])
def test_a_refused_value_is_named_where_the_framework_names_it(extra: Any) -> None:  # noqa: ANN401
    detail = on_validation(REQUEST, ValidationException(extra=extra)).content["detail"]
    assert detail
    assert (detail == "limit: too large") == ("limit" in str(extra))
