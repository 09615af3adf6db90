"""The coverage calendar: every day of a link with its state, and a square that explains itself."""

from datetime import date

from litestar import get
from litestar.params import FromPath
from litestar.response import Template

from ga_sync.sync.completeness import STATES
from ga_sync.web.console.drawing import weeks
from ga_sync.web.console.viewer import Asked, customer_of_link, viewer
from ga_sync.web.services import Wired
from ga_sync.web.threads import in_thread


@get("/console/links/{link_id:str}/coverage", include_in_schema=False)
@in_thread
def coverage(request: Asked, link_id: FromPath[str], services: Wired) -> Template:
    """Weeks of days; ``?day=`` explains one of them."""
    who = viewer(request, services)
    customer_id = customer_of_link(services, who, link_id)
    days = services.links.days(link_id, customer_id, None, date.max)
    chosen = request.query_params.get("day", "")
    context = {
        "who": who,
        "link": services.links.view(link_id, customer_id),
        "weeks": weeks(days),
        "counts": {state: sum(one["state"] == state for one in days) for state in STATES},
        "chosen": next((one for one in days if one["day"] == chosen), None),
    }
    return Template("console/coverage.html", context=context)
