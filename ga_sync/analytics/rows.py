"""An answer's rows read from its bytes, many at once. Pure.

Rows of the form in which they practically always come (each a few short values, one event count of digits) are cut out
of the bytes with arrays, which costs a third of making an object of each value first. Google's own parser reads all
that is not rows, and the whole answer where any row has another form: what an answer means is its word alone.
Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from array import array
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, TypeAlias

import numpy as np
from google.analytics import data_v1beta as data
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_Response = data.RunReportResponse.pb()
_VARINT, _BYTES = 0, 2
_MORE = 0x80
"""Set in every byte of a number but its last."""
_LONGEST_NUMBER = 5
"""Bytes; only tags and lengths are read here, and no answer has 2^35 bytes."""
_LONGEST_COUNT = 18
"""Digits that surely fit 64 bits."""

_AT_ONCE = 1 << 14
"""Rows read together: as many as a processor's cache holds."""
_CELL = 4
"""Bytes of a cell before its value: two tags, two lengths."""

_Bytes: TypeAlias = NDArray[np.uint8]
_Places: TypeAlias = NDArray[np.int64]
_Spans: TypeAlias = tuple[_Places, _Places]


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows of an answer, column by column, equally long; a report of the parameter alone has no audiences.

    Attributes:
        audiences: resource names as Google gave them.
        ids: values of the parameter as Google gave them, junk among them.
        events: event counts, none negative.
    """

    audiences: list[str]
    ids: list[str]
    events: list[int]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a report.

    Attributes:
        message: the raw ``RunReportResponse``; without rows where ``columns`` holds them.
        columns: the rows; None where they are in ``message``.
    """

    message: Any
    columns: Columns | None


def _tag(message: Any, name: str) -> int:  # noqa: ANN401 - protobuf has no static type
    """The byte before a field that has a length."""
    return int(message.DESCRIPTOR.fields_by_name[name].number) << 3 | _BYTES


_ROW = _tag(_Response, "rows")
_DIMENSION, _METRIC = (_tag(data.Row.pb(), name) for name in ("dimension_values", "metric_values"))
_NAME, _COUNT = (_tag(kind.pb(), "value") for kind in (data.DimensionValue, data.MetricValue))


def read_answer(body: bytes) -> Answer:
    """An answer from its bytes.

    Raises:
        google.protobuf.message.DecodeError: it is no ``RunReportResponse``.
    """
    try:
        rest, heads = _cut(body)
        columns = _columns(body, heads)
    except (IndexError, ValueError):
        return Answer(_Response.FromString(body), None)
    message = _Response.FromString(rest)
    return Answer(_Response.FromString(body), None) if message.rows else Answer(message, columns)


def _cut(body: bytes) -> tuple[bytes, _Places]:
    """All that is not rows, and where each row begins with its tag.

    Raises:
        IndexError, ValueError: that is not plain, or there is no row.
    """
    heads, rest, at, size = array("q"), [], 0, len(body)
    while at < size:
        if body[at] == _ROW:
            heads.append(at)
            length = body[at + 1]
            at += 2 + length if length < _MORE else 3 + _long(length, body[at + 2])
        else:
            after = _after(body, at)
            rest.append(body[at:after])
            at = after
    _demand(at == size and len(heads) > 0)
    return b"".join(rest), np.frombuffer(heads, np.int64)


def _demand(plain: bool | np.bool_) -> None:  # noqa: FBT001 - it is all that is said
    if not plain:
        raise ValueError("not of the usual form")


def _long(low: int, high: int) -> int:
    """The length that two bytes say."""
    _demand(high < _MORE)
    return low - _MORE + (high << 7)


def _after(body: bytes, at: int) -> int:
    """Where the field ends that begins here."""
    tag, at = _number(body, at)
    length, after = _number(body, at)
    _demand(tag & 7 in {_VARINT, _BYTES})
    return after + length if tag & 7 == _BYTES else after


def _number(body: bytes, at: int) -> tuple[int, int]:
    """The number that begins here, and where it ends."""
    number = 0
    for place in range(_LONGEST_NUMBER):
        byte = body[at + place]
        number |= (byte & ~_MORE) << 7 * place
        if byte < _MORE:
            return number, at + place + 1
    raise ValueError("not of the usual form")


def _columns(body: bytes, heads: _Places) -> Columns:
    """The rows that begin at these places; ValueError where one has another form."""
    audiences: list[str] = []
    ids: list[str] = []
    events: list[int] = []
    for first in range(0, len(heads), _AT_ONCE):
        part = _part(body, heads[first : first + _AT_ONCE])
        audiences += part.audiences
        ids += part.ids
        events += part.events
    _demand(len(audiences) in {0, len(ids)})
    return Columns(audiences, ids, events)


def _part(body: bytes, heads: _Places) -> Columns:
    buffer = np.frombuffer(body, np.uint8)
    firsts, ends = _spans(buffer, heads)
    columns = [_values(buffer, firsts, ends, _DIMENSION, _NAME)]
    if buffer[columns[0][1][0]] == _DIMENSION:
        columns.append(_values(buffer, columns[0][1], ends, _DIMENSION, _NAME))
    counted = _values(buffer, columns[-1][1], ends, _METRIC, _COUNT)
    _demand((counted[1] == ends).all())
    audiences = _repeated(body, *columns[0]) if len(columns) > 1 else []
    return Columns(audiences, _texts(body, *columns[-1]), _counts(buffer, *counted))


def _spans(buffer: _Bytes, heads: _Places) -> _Spans:
    """Where rows begin and end behind their tag and length."""
    lengths = buffer[heads + 1].astype(np.int64)
    firsts = heads + 2
    longer = np.flatnonzero(lengths >= _MORE)
    lengths[longer] += (buffer[firsts[longer]].astype(np.int64) << 7) - _MORE
    firsts[longer] += 1
    return firsts, firsts + lengths


def _values(buffer: _Bytes, at: _Places, ends: _Places, cell: int, value: int) -> _Spans:
    """Where the value lies of the cell that begins here in each row; a cell ends with its value."""
    _demand((ends - at >= _CELL).all())
    lengths = buffer[at + 3].astype(np.int64)
    plain = (buffer[at] == cell) & (buffer[at + 1] == lengths + 2) & (buffer[at + 2] == value)
    _demand((plain & (lengths + 2 < _MORE)).all())
    starts = at + _CELL
    return starts, starts + lengths


def _repeated(body: bytes, starts: _Places, ends: _Places) -> list[str]:
    """Values of which most are the one before: each run of them is one object."""
    buffer, lengths = np.frombuffer(body, np.uint8), ends - starts
    fresh = np.append(True, lengths[1:] != lengths[:-1])
    for length in (np.flatnonzero(np.bincount(lengths)[1:]) + 1).tolist():
        rows = np.flatnonzero(lengths == length)
        values = sliding_window_view(buffer, length)[starts[rows]].view(f"S{length}").ravel()
        fresh[rows[1:]] |= values[1:] != values[:-1]
    at = np.flatnonzero(fresh)
    names = _texts(body, starts[at], ends[at])
    return list(chain.from_iterable(map(repeat, names, np.diff(at, append=len(starts)).tolist())))


def _texts(body: bytes, starts: _Places, ends: _Places) -> list[str]:
    """Values cut out of the bytes, each followed by another cell; ValueError where one is not UTF-8."""
    return _split(body, starts, ends) or _sliced(body, starts, ends)


def _split(body: bytes, starts: _Places, ends: _Places) -> list[str]:
    """Values of one length, of ASCII, at the tags behind them; none where they are others, or hold that tag."""
    length = int(ends[0] - starts[0])
    if (ends - starts != length).any():
        return []
    cells = sliding_window_view(np.frombuffer(body, np.uint8), length + 1)[starts].tobytes()
    values = cells.decode("latin-1").split(chr(cells[length])) if cells.isascii() else []
    return values[:-1] if len(values) == len(starts) + 1 else []


def _sliced(body: bytes, starts: _Places, ends: _Places) -> list[str]:
    base = int(starts[0])
    text = body[base : int(ends[-1])].decode("latin-1")
    places = zip((starts - base).tolist(), (ends - base).tolist(), strict=True)
    found = [text[start:end] for start, end in places]
    return [one if one.isascii() else one.encode("latin-1").decode() for one in found]


def _counts(buffer: _Bytes, starts: _Places, ends: _Places) -> list[int]:
    """Numbers of decimal digits; ValueError where one is anything else."""
    lengths = ends - starts
    _demand(lengths.min() >= 1 and lengths.max() <= _LONGEST_COUNT)
    counts = np.zeros(len(starts), np.int64)
    for place in range(int(lengths.max())):
        longer = np.flatnonzero(lengths > place)
        digits = buffer[starts[longer] + place].astype(np.int64) - ord("0")
        _demand(digits.min() >= 0 and digits.max() <= 9)  # noqa: PLR2004 - the digit
        counts[longer] = counts[longer] * 10 + digits
    found: list[int] = counts.tolist()
    return found
