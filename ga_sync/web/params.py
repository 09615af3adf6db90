"""Query parameters that several addresses share."""

from datetime import date
from typing import Annotated

from litestar.params import QueryParameter

From = Annotated[date | None, QueryParameter(name="from")]
To = Annotated[date | None, QueryParameter(name="to")]
CustomerId = Annotated[str | None, QueryParameter(name="customer_id")]
