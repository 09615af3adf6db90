"""The exact shapes in which Google is asked. Pure: a function builds one request and sends nothing.

Reports: https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/properties/runReport
Lists: https://developers.google.com/analytics/devguides/config/admin/v1/rest
"""

import re
from collections.abc import Sequence
from datetime import date

from google.analytics.admin_v1alpha import types as admin
from google.analytics.data_v1beta import types as data

LIST_PAGE_SIZE = 200
"""The most that every Admin list gives at once."""
REPORT_PAGE_SIZE = 250_000
"""The most rows that one report gives at once; the default would be 10,000."""
AUDIENCE = "audienceResourceName"
"""The dimension whose values equal the Admin API's audience names."""
METRIC = "eventCount"
"""Of the metrics the one that loses no row (``sessions`` does); a report must name one."""

_PROPERTY = re.compile(r"properties/[0-9]{1,20}")
_AUDIENCE_NAME = re.compile(r"properties/[0-9]{1,20}/audiences/[0-9]{1,20}")
_REGISTRABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_UNSAFE = re.compile(r"[\s:,/\"'\\]")
_LONGEST_PARAMETER = 100


def is_parameter_name(name: str) -> bool:
    """Whether Google's rules let somebody register ``name`` as an event parameter today.

    Letters, digits and underscores, a letter first, at most 40:
    https://support.google.com/analytics/answer/13316687
    """
    return _REGISTRABLE.fullmatch(name) is not None


def id_dimension(parameter: str) -> str:
    """The report dimension of an event-scoped custom dimension: ``customEvent:<parameter>``.

    Older properties list names that could not be registered today (hyphens, dots, other alphabets), and those
    report all the same; only what could end or split a dimension's name is refused.

    Raises:
        ValueError: it is empty, longer than 100 characters, or holds blanks, control characters, colons, commas,
            slashes or quotes.
    """
    if (
        not 0 < len(parameter) <= _LONGEST_PARAMETER
        or _UNSAFE.search(parameter)
        or not parameter.isprintable()
    ):
        raise ValueError("parameter_name: Google knows no event parameter of this form")
    return f"customEvent:{parameter}"


def account_summaries(page_token: str = "") -> admin.ListAccountSummariesRequest:
    """One page of the accounts and properties that the token's Google user can see."""
    return admin.ListAccountSummariesRequest(page_size=LIST_PAGE_SIZE, page_token=page_token)


def get_property(property_name: str) -> admin.GetPropertyRequest:
    """One property (``properties/N``): its time zone, service level and time of creation.

    Raises:
        ValueError: the name has another form.
    """
    return admin.GetPropertyRequest(name=_checked_property(property_name))


def custom_dimensions(property_name: str, page_token: str = "") -> admin.ListCustomDimensionsRequest:
    """One page of a property's custom dimensions, of every scope.

    Raises:
        ValueError: the property's name has another form than ``properties/N``.
    """
    parent = _checked_property(property_name)
    return admin.ListCustomDimensionsRequest(parent=parent, page_size=LIST_PAGE_SIZE, page_token=page_token)


def audiences(property_name: str, page_token: str = "") -> admin.ListAudiencesRequest:
    """One page of a property's audiences, built-in ones among them; only v1alpha has this list.

    Raises:
        ValueError: the property's name has another form than ``properties/N``.
    """
    parent = _checked_property(property_name)
    return admin.ListAudiencesRequest(parent=parent, page_size=LIST_PAGE_SIZE, page_token=page_token)


def day_report(
    property_name: str, parameter: str, day: date, audience_names: Sequence[str], offset: int = 0
) -> data.RunReportRequest:
    """Who is in which audience on one property-local day: all audiences in one report, one page of it.

    Both dimensions order it, for Google promises no order otherwise and paging by offset would skip rows; TOTAL
    is asked along, so that rows which went missing show.

    Args:
        property_name: ``properties/N``.
        parameter: event parameter that carries the recording id.
        day: in the property's time zone.
        audience_names: Admin names, ``properties/N/audiences/M``; at least one.
        offset: of the first row, 0 for the first page.

    Raises:
        ValueError: a name has another form, or no audience is named.
    """
    names = [_checked_audience(name) for name in audience_names]
    if not names:
        raise ValueError("audience_names: a report without audiences would ask for all of them")
    in_list = data.Filter.InListFilter(values=names, case_sensitive=True)
    only = data.FilterExpression(filter=data.Filter(field_name=AUDIENCE, in_list_filter=in_list))
    return _membership(property_name, parameter, day, only, offset)


def audience_report(
    property_name: str, parameter: str, day: date, audience_name: str, offset: int = 0
) -> data.RunReportRequest:
    """One audience of one day, in the same columns as ``day_report``: the fallback for days folded into "(other)".

    Raises:
        ValueError: a name has another form.
    """
    return _membership(property_name, parameter, day, _exactly(audience_name), offset)


def alone_report(
    property_name: str, parameter: str, day: date, audience_name: str, offset: int = 0
) -> data.RunReportRequest:
    """One audience of one day where Google calls the two dimensions incompatible: the parameter is the only column.

    Raises:
        ValueError: a name has another form.
    """
    chosen = _within(parameter, _exactly(audience_name))
    dimensions = [id_dimension(parameter)]
    return _report(property_name, dimensions, day, chosen, limit=REPORT_PAGE_SIZE, offset=offset)


def seen_report(property_name: str, parameter: str, day: date) -> data.RunReportRequest:
    """How many recording ids a day has in any audience or none: the answer's ``row_count``, its one row is not read.

    Raises:
        ValueError: a name has another form.
    """
    return _report(property_name, [id_dimension(parameter)], day, _has_value(parameter), limit=1)


def probe(property_name: str, parameter: str, day: date) -> data.RunReportRequest:
    """One row of a real report with both dimensions: account summaries list properties that reports refuse.

    Args:
        property_name: ``properties/N``.
        parameter: event parameter that carries the recording id.
        day: any recent day.

    Raises:
        ValueError: a name has another form.
    """
    return _report(property_name, [AUDIENCE, id_dimension(parameter)], day, _has_value(parameter), limit=1)


def probe_alone(property_name: str, parameter: str, day: date) -> data.RunReportRequest:
    """One row of a real report in the shape of ``alone_report``; its audience need not exist.

    Raises:
        ValueError: a name has another form.
    """
    chosen = _within(parameter, _exactly(f"{_checked_property(property_name)}/audiences/1"))
    return _report(property_name, [id_dimension(parameter)], day, chosen, limit=1)


def reads_audiences(request: data.RunReportRequest) -> bool:
    """Whether a report of ours names audiences, in its columns or its filter: Google may withhold rows of those."""
    return bool(data.RunReportRequest.pb(request).dimension_filter.and_group.expressions) or any(
        dimension.name == AUDIENCE for dimension in request.dimensions
    )


def _exactly(audience_name: str) -> data.FilterExpression:
    exactly = data.Filter.StringFilter(
        match_type=data.Filter.StringFilter.MatchType.EXACT,
        value=_checked_audience(audience_name),
        case_sensitive=True,
    )
    return data.FilterExpression(filter=data.Filter(field_name=AUDIENCE, string_filter=exactly))


def _within(parameter: str, only: data.FilterExpression) -> data.FilterExpression:
    both = data.FilterExpressionList(expressions=[only, _has_value(parameter)])
    return data.FilterExpression(and_group=both)


def _membership(
    property_name: str, parameter: str, day: date, only: data.FilterExpression, offset: int
) -> data.RunReportRequest:
    chosen = _within(parameter, only)
    dimensions = [AUDIENCE, id_dimension(parameter)]
    return _report(property_name, dimensions, day, chosen, limit=REPORT_PAGE_SIZE, offset=offset)


def _report(
    property_name: str,
    dimensions: list[str],
    day: date,
    chosen: data.FilterExpression,
    *,
    limit: int,
    offset: int = 0,
) -> data.RunReportRequest:
    by = [data.OrderBy(dimension=data.OrderBy.DimensionOrderBy(dimension_name=name)) for name in dimensions]
    return data.RunReportRequest(
        property=_checked_property(property_name),
        dimensions=[data.Dimension(name=name) for name in dimensions],
        metrics=[data.Metric(name=METRIC)],
        date_ranges=[data.DateRange(start_date=day.isoformat(), end_date=day.isoformat())],
        dimension_filter=chosen,
        metric_aggregations=[data.MetricAggregation.TOTAL],
        order_bys=by,
        limit=limit,
        offset=offset,
        return_property_quota=True,
    )


def _has_value(parameter: str) -> data.FilterExpression:
    """NOT emptyFilter: rows whose event carried the parameter at all."""
    empty = data.Filter(field_name=id_dimension(parameter), empty_filter=data.Filter.EmptyFilter())
    return data.FilterExpression(not_expression=data.FilterExpression(filter=empty))


def _checked_property(name: str) -> str:
    if not _PROPERTY.fullmatch(name):
        raise ValueError("property: must have the form properties/N")
    return name


def _checked_audience(name: str) -> str:
    if not _AUDIENCE_NAME.fullmatch(name):
        raise ValueError("audience: must have the form properties/N/audiences/M")
    return name
