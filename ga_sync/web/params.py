"""Query parameters that several addresses share."""

from datetime import date
from typing import Annotated

from litestar.params import QueryParameter

from ga_sync.accounts.names import check_day

# As text: the framework would take the word "null" for a day that was left out.
From = Annotated[str | None, QueryParameter(name="from")]
To = Annotated[str | None, QueryParameter(name="to")]
CustomerId = Annotated[str | None, QueryParameter(name="customer_id")]


def day_of(text: str | None) -> date | None:
    """The day that a parameter names, if it is given. Raises Invalid."""
    return None if text is None else check_day(text)
