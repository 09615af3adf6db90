"""A Google of one property and one large day, in a process of its own: it encodes its pages once and then only sends.

`python -m tests.benchmarks.sync_google ROWS` prints its port and serves until its input ends. The Admin API knows the
property and its audiences, the Data API answers every report about them with the page at the offset asked.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.analytics.admin_v1alpha import types as admin
from google.analytics.data_v1beta import types as data

from ga_sync.sandbox.wire import encode_rows

PROPERTY = "properties/4711"
PARAMETER = "sessioncam_id"
AUDIENCES = 50
PAGE = 250_000
IN_SEGMENTS = 5
"""Each recording is in so many of the audiences."""


def names() -> list[str]:
    """The audiences, in the order in which Google sorts them."""
    return [f"{PROPERTY}/audiences/{1_000_000_000 + number}" for number in range(AUDIENCES)]


def pages(rows: int) -> list[bytes]:
    """Every page of the day, sorted by audience and id as asked; ids are 32 hexadecimal digits."""
    each = rows // AUDIENCES
    spread = each * AUDIENCES // IN_SEGMENTS
    ids = [f"{number * 2_654_435_761 % (1 << 64):032x}" for number in range(spread)]
    lines = []
    for number, name in enumerate(names()):
        first = number * each % spread
        part = (ids + ids)[first : first + each]
        lines += [((name, one), (1,)) for one in sorted(part)]
    return [_page(lines[start : start + PAGE], len(lines)) for start in range(0, len(lines), PAGE)]


def _page(lines: list[Any], row_count: int) -> bytes:
    rest = data.RunReportResponse(
        dimension_headers=[{"name": "audienceResourceName"}, {"name": f"customEvent:{PARAMETER}"}],
        metric_headers=[{"name": "eventCount", "type_": "TYPE_INTEGER"}],
        row_count=row_count,
        totals=[{"metric_values": [{"value": str(row_count)}]}],
        property_quota={"tokens_per_day": {"consumed": 10, "remaining": 199_000}},
        metadata={"time_zone": "UTC"},
    )
    return encode_rows(lines) + bytes(data.RunReportResponse.serialize(rest))


def facts() -> bytes:
    """The property."""
    found = admin.Property(name=PROPERTY, display_name="Shop", time_zone="UTC", service_level=1)
    return bytes(admin.Property.serialize(found))


def listing() -> bytes:
    """Its audiences."""
    clause = {"clause_type": 1, "simple_filter": {"scope": 2}}
    listed = [
        {"name": name, "display_name": f"Segment {number}", "filter_clauses": [clause]}
        for number, name in enumerate(names())
    ]
    return bytes(admin.ListAudiencesResponse.serialize(admin.ListAudiencesResponse(audiences=listed)))


def serve(rows: int) -> tuple[Any, int]:
    """A server on this machine, and its port."""
    day = pages(rows)

    def report(request: Any, _context: Any) -> bytes:  # noqa: ANN401
        page: bytes = day[request.offset // PAGE]
        return page

    def handler(answer: Any, request: Any) -> Any:  # noqa: ANN401
        return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=request.FromString)

    server = grpc.server(ThreadPoolExecutor(4))
    services = {
        "google.analytics.data.v1beta.BetaAnalyticsData": {
            "RunReport": handler(report, data.RunReportRequest.pb())
        },
        "google.analytics.admin.v1alpha.AnalyticsAdminService": {
            "GetProperty": handler(lambda *_: facts(), admin.GetPropertyRequest.pb()),
            "ListAudiences": handler(lambda *_: listing(), admin.ListAudiencesRequest.pb()),
        },
    }
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, held) for name, held in services.items())
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serve until the input ends."""
    server, port = serve(int(sys.argv[1]))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
