"""Reading bodies: strict JSON of the documented shape, and a refusal that says which of the two it was not."""

from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from ga_sync.accounts.errors import Invalid, Malformed

_LONGEST_DETAIL = 500


def read(raw: bytes, shape: Any) -> Any:  # noqa: ANN401 -- any shape
    """The body as ``shape``.

    Raises:
        Malformed: it is not JSON (RFC 8259), or not UTF-8.
        Invalid: it is JSON of another shape, or nests deeper than can be read.
    """
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)[:_LONGEST_DETAIL]) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("the body must be the documented JSON, in UTF-8") from None
    except RecursionError:
        raise Invalid("the body nests too deep: a filter nests at most 16 deep") from None


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body is read strictly: no number where text belongs, no text where a number does."""

    async def body(self) -> bytes:
        """The body as it came; where the address takes one, an empty one is refused."""
        try:
            raw = await super().body()
        except InternalServerException:  # the framework's word for a caller that went away in the middle
            raise Malformed("the body did not come whole: send it again") from None
        if not raw and self.route_handler.parsed_data_field is not None:
            raise Malformed("the body is empty: send the documented JSON")
        return raw

    async def json(self) -> Any:  # noqa: ANN401 -- the address's own shape
        """The body in the shape that the address takes."""
        field = self.route_handler.parsed_data_field
        return read(await self.body(), field.annotation if field is not None else Any)
