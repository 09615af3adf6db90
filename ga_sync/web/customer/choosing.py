"""The customer chooses properties, then the dimension that carries the recording id, and links are made."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts.errors import Invalid, Refusal
from ga_sync.accounts.names import is_plain
from ga_sync.accounts.proof import Proof
from ga_sync.accounts.views import View
from ga_sync.web.customer.offers import MOST_CHOSEN, SHOWN, Offers, choices, found_by
from ga_sync.web.forms import Sent
from ga_sync.web.guest import Guest, admit, admit_form
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread

Asked = Request[Any, Any, Any]
_CHOICE = "dimension-"


def _offers(request: Asked) -> Offers:
    offers: Offers = request.app.state.offers
    return offers


@get("/connect/{grant_id:str}", include_in_schema=False)
@in_thread
def choose_properties(request: Asked, grant_id: FromPath[str], services: Wired) -> Template:
    """The properties that the Google account can see, found by name, several to be ticked at once."""
    guest = admit(request, services, grant_id)
    words = request.query_params.get("q", "")[:100]
    anew = "again" in request.query_params
    offered = _offers(request).properties(grant_id, guest.customer_id, anew=anew)
    ticked = set(request.query_params.getall("property", []))
    found = found_by(offered, words)
    kept = [one for one in offered if _number(one) in ticked and one not in found]
    context = {
        "guest": guest,
        "words": words,
        "offered": len(offered),
        "found": len(found),
        "shown": [*kept, *found[:SHOWN]],
        "ticked": ticked,
        "linked": sum(1 for one in offered if one["linked"]),
    }
    return Template("customer/properties.html", context=context)


def _number(one: View) -> str:
    return str(one["property"]).removeprefix("properties/")


def _chosen(offered: list[View], numbers: list[str]) -> list[View]:
    """The chosen properties, each once. Raises Invalid over the limit, or for one that is not offered."""
    by_number = {_number(one): one for one in offered}
    wanted = list(dict.fromkeys(numbers))
    if len(wanted) > MOST_CHOSEN:
        raise Invalid(f"Choose at most {MOST_CHOSEN} properties at once; link the others afterwards")
    if any(number not in by_number for number in wanted):
        raise Invalid("One of these properties is not offered to this Google account: choose again")
    return [by_number[number] for number in wanted]


@get("/connect/{grant_id:str}/dimensions", include_in_schema=False)
@in_thread
def choose_dimensions(request: Asked, grant_id: FromPath[str], services: Wired) -> Template | Redirect:
    """For each chosen property the dimension that carries the recording id, the likely one with its proof."""
    guest = admit(request, services, grant_id)
    numbers = request.query_params.getall("property", [])
    if not numbers:
        return Redirect(f"/connect/{grant_id}", status_code=303)
    offered = _offers(request).properties(grant_id, guest.customer_id)
    proof = Proof(services.linking, services.google, services.clock)
    found = choices(services.linking, proof, grant_id, guest.customer_id, _chosen(offered, numbers))
    return Template(
        "customer/dimensions.html",
        context={"guest": guest, "choices": found, "ready": any(one.dimensions for one in found)},
    )


@post("/connect/{grant_id:str}/links", include_in_schema=False)
@in_thread
def make_links(request: Asked, grant_id: FromPath[str], services: Wired, form: Sent) -> Template | Redirect:
    """Link each chosen property; what Google refused is said, the others are linked all the same."""
    guest = admit_form(request, services, grant_id, form)
    wishes = {
        name.removeprefix(_CHOICE): form.first(name)
        for name in form.fields
        if name.startswith(_CHOICE) and form.first(name)
    }
    if not wishes:
        raise Invalid("Choose a dimension for at least one property")
    offers = _offers(request)
    chosen = _chosen(offers.properties(grant_id, guest.customer_id), list(wishes))
    refused = [
        (one, refusal)
        for one in chosen
        if (refusal := _refusal(services, guest, str(one["property"]), wishes[_number(one)]))
    ]
    offers.forget(grant_id)
    if not refused:
        return Redirect(f"/connect/{grant_id}/progress", status_code=303)
    context = {"guest": guest, "refused": refused, "made": len(chosen) - len(refused)}
    return Template("customer/refused.html", context=context, status_code=422)


def _refusal(services: Services, guest: Guest, property_name: str, parameter_name: str) -> str | None:
    try:
        wish = services.linking.wish(guest.grant_id, property_name, parameter_name, None)
        services.linking.create(wish, guest.customer_id, guest.actor)
    except Refusal as refusal:
        return str(refusal)
    return None


@get("/help/{topic:str}", include_in_schema=False, sync_to_thread=False)
def help_page(topic: FromPath[str]) -> Template:
    """How to make an audience, or register the dimension, in Google Analytics. Raises NotFound for others."""
    if not is_plain(topic) or topic not in TOPICS:
        return Template(
            "message.html",
            context={"title": "No such page", "sentences": ["Go back and choose another."]},
            status_code=404,
        )
    return Template(f"customer/help_{topic}.html")


TOPICS = ("audience", "dimension")
