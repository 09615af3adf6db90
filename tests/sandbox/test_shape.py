"""Every answer fits Google's discovery documents and has the shape of the recorded bodies."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import googleapiclient
import pytest

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


RECORDED = Path(__file__).parents[2] / ".." / "shared" / "google"
DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def recorded(name: str) -> Loose:
    if not RECORDED.is_dir():
        pytest.skip("the recorded Google responses are not beside the repository")
    return json.loads((RECORDED / name).read_text())


def fits(value: Loose, schema: dict[str, Any], schemas: dict[str, Any], path: str = "") -> None:
    """Fail where a value has a field that the schema does not know, or one of another type."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    if schema["type"] == "array":
        assert isinstance(value, list), path
        for one in value:
            fits(one, schema["items"], schemas, path + "[]")
    elif schema["type"] == "object":
        assert isinstance(value, dict), path
        for name, inner in value.items():
            assert name in schema.get("properties", {}), f"{path}.{name} is not Google's"
            fits(inner, schema["properties"][name], schemas, f"{path}.{name}")
    else:
        assert isinstance(value, KINDS[schema["type"]]), path
        assert "enum" not in schema or value in schema["enum"], path


def check(message: Loose, document: str, schema: str) -> Loose:
    value = json.loads(
        type(message).to_json(
            message, use_integers_for_enums=False, always_print_fields_with_no_presence=False
        )
    )
    schemas = json.loads((DOCUMENTS / document).read_text())["schemas"]
    fits(value, schemas[schema], schemas)
    return value


def admin(message: Loose, schema: str) -> Loose:
    return check(message, "analyticsadmin.v1alpha.json", f"GoogleAnalyticsAdminV1alpha{schema}")


def data(message: Loose, schema: str) -> Loose:
    return check(message, "analyticsdata.v1beta.json", schema)


def test_admin_answers_fit_the_discovery_document(visitor: Loose, shop: str) -> None:
    bearer, client = visitor.bearer(), visitor.admin
    audiences = next(client.list_audiences(parent=shop, metadata=bearer).pages)
    assert admin(audiences, "ListAudiencesResponse")["audiences"][2]["filterClauses"]
    dimensions = next(client.list_custom_dimensions(parent=shop, metadata=bearer).pages)
    admin(dimensions, "ListCustomDimensionsResponse")
    prop = client.get_property(name=shop, metadata=bearer)
    admin(prop, "Property")
    admin(next(client.list_account_summaries(metadata=bearer).pages), "ListAccountSummariesResponse")
    listed = client.list_properties({"filter": f"parent:{prop.parent}"}, metadata=bearer)
    admin(next(listed.pages), "ListPropertiesResponse")


def test_data_answers_fit_the_discovery_document_in_every_mood(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    for kind in ("data_loss_from_other_row", "thresholding", "sampling", "truncation"):
        visitor.mood(kind)
    more = {"return_property_quota": True, "metric_aggregations": ["TOTAL", "MINIMUM", "MAXIMUM"]}
    value = data(visitor.report(shop, bearer, **more), "RunReportResponse")
    assert {"dataLossFromOtherRow", "samplingMetadatas", "dataTruncationReasons"} < set(value["metadata"])
    data(visitor.data.get_metadata(name=f"{shop}/metadata", metadata=bearer), "Metadata")


def test_a_field_google_does_not_have_is_found() -> None:
    schemas = json.loads((DOCUMENTS / "analyticsdata.v1beta.json").read_text())["schemas"]
    with pytest.raises(AssertionError, match="not Google's"):
        fits({"rows": [{"colour": 1}]}, schemas["RunReportResponse"], schemas)


def shape(value: Loose) -> Loose:
    """Reduce a body to its member names and types."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def test_default_audiences_are_shaped_as_recorded(visitor: Loose, shop: str) -> None:
    page = next(visitor.admin.list_audiences(parent=shop, metadata=visitor.bearer()).pages)
    built_in = [
        one for one in admin(page, "ListAudiencesResponse")["audiences"] if "filterClauses" not in one
    ]
    model = recorded("audiences.list.defaults-only.json")["audiences"]
    assert [shape(one) for one in built_in] == [shape(one) for one in model]
    for name in ("displayName", "description", "membershipDurationDays", "adsPersonalizationEnabled"):
        assert [one[name] for one in built_in] == [one[name] for one in model]


def test_an_empty_report_is_shaped_as_recorded(visitor: Loose, shop: str) -> None:
    more = {
        "day": "2020-01-01",
        "names": ["country"],
        "metrics": ["activeUsers"],
        "metric_aggregations": ["TOTAL"],
    }
    value = data(visitor.report(shop, visitor.bearer(), **more), "RunReportResponse")
    assert shape(value) == shape(recorded("runReport.empty.json"))


def test_a_limited_report_is_shaped_as_recorded(visitor: Loose, shop: str) -> None:
    value = data(visitor.report(shop, visitor.bearer(), names=["date"], limit=1), "RunReportResponse")
    assert shape(value) == shape(recorded("batchRunReports.limited.json")["reports"][0])


def test_summaries_and_properties_are_shaped_as_recorded(visitor: Loose) -> None:
    bearer = visitor.bearer()
    page = next(visitor.admin.list_account_summaries(metadata=bearer).pages)
    value = admin(page, "ListAccountSummariesResponse")
    assert shape(value) == shape(recorded("accountSummaries.list.json"))
    parent = value["accountSummaries"][0]["account"]
    listed = next(visitor.admin.list_properties({"filter": f"parent:{parent}"}, metadata=bearer).pages)
    assert shape(admin(listed, "ListPropertiesResponse")) == shape(recorded("properties.list.json"))
