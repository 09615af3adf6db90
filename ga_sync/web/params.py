"""Query parameters that several addresses share."""

from datetime import date
from typing import Annotated

from litestar.params import Parameter

From = Annotated[date | None, Parameter(query="from")]
To = Annotated[date | None, Parameter(query="to")]
