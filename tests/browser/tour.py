"""A tour of every page on the demonstration's stage, as people come to them; each stop is a page that stands still."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyotp
from playwright.sync_api import BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from ga_sync.demo.stage import CUSTOMER, USER, Stage

PASSWORD = "correct horse battery staple"
ADMIN = "alex@operator.example"
AGENCY = "analytics@agency.example"
_WAIT_SECONDS = 60.0


@dataclass
class Tour:
    """One visitor on a stage."""

    stage: Stage
    context: BrowserContext

    def __post_init__(self) -> None:
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.codes: list[str] = []
        self._key = self.stage.service.keys.create("console", "*", "tour")

    def go(self, path: str) -> Page:
        """Open an address of ours."""
        address = path if path.startswith("http") else f"{self.stage.base}{path}"
        try:
            self.page.goto(address)
        except PlaywrightError as error:
            if "interrupted by another navigation" not in error.message:
                raise
            self.page.goto(address)  # a page that shows progress was loading itself anew in that moment
        return self.page

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask a door, as a console of every customer."""
        answer = self.stage.call(method, path, body, key=self._key).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def begin(self, customer: str = CUSTOMER) -> dict[str, Any]:
        """A new grant's addresses."""
        return self.call("POST", "/v1/grants", {"customer_id": customer})

    def consent(self, begun: dict[str, Any], user: str = USER, decision: str = "allow") -> Page:
        """Through the guided page and Google's, as a person does."""
        self.go(begun["link_url"]).click("button.google")
        self.page.check(f'input[value="{user}"]')
        self.page.click(f"button[value={decision}]")
        return self.page

    def link(self, begun: dict[str, Any]) -> str:
        """Choose every property and the suggested dimensions; the first link's id."""
        self.go(f"/connect/{begun['grant_id']}")
        for box in self.page.locator("input[name=property]").all():
            box.check()
        self.page.click("text=Continue")
        self.page.click("button:has-text('Link')")
        return self.synchronised(begun["customer_id"])

    def synchronised(self, customer: str = CUSTOMER) -> str:
        """Wait for the first run of the customer's links; the first link's id."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            links = self.call("GET", f"/v1/links?customer_id={customer}")["links"]
            if links and all((one["last_run"] or {}).get("status") == "succeeded" for one in links):
                return str(links[0]["link_id"])
            time.sleep(0.2)
        raise TimeoutError("the first run does not end")

    def sign_in(self, email: str = ADMIN, role: str = "admin", customer: str = "*") -> None:
        """Make an account, set its password and sign in, all by the pages."""
        made = self.stage.service.users.add(email, role, customer, "tour")
        self.set_password(made.address(self.stage.base))
        self.page.fill("#email", email)
        self.page.fill("#password", PASSWORD)
        self.page.click("main button")

    def turn_factor_on(self) -> Iterator[str]:
        """By the pages, the first code a wrong one; a name at each stop. The recovery codes are in ``codes``."""
        self.go("/console/factor")
        yield "off"
        self.page.fill("#password", PASSWORD)
        self.page.click("main button")
        yield "begun"
        app = pyotp.TOTP("".join(self.page.inner_text("pre").split()))
        self.page.fill("#code", "000000")
        self.page.click("main button")
        yield "refused"
        self.page.fill("#code", app.at(self.stage.service.clock()))
        self.page.click("main button")
        self.codes = self.page.inner_text("pre").split()
        yield "codes"
        self.page.click("text=I have kept them")
        yield "on"

    def set_password(self, address: str) -> None:
        """Use a one-time address up."""
        self.go(address)
        self.page.fill("#password", PASSWORD)
        self.page.fill("#again", PASSWORD)
        self.page.click("main button")


def customer_stops(tour: Tour) -> Iterator[str]:
    """The customer's pages, from the first address to the first segments; yields a name at each stop."""
    refused = tour.begin()
    tour.go(refused["link_url"])
    yield "customer-1-guide"
    tour.consent(refused, decision="deny")
    yield "customer-refused-denied"
    tour.go("/link/no-such-address")
    yield "customer-refused-address"
    begun = tour.begin()
    tour.consent(begun)
    yield "customer-2-connected"
    at = f"/connect/{begun['grant_id']}"
    tour.go(at)
    yield "customer-3-properties"
    tour.go(f"{at}?q=nobody")
    yield "customer-3-properties-none"
    numbers = [one.get_attribute("value") for one in tour.go(at).locator("input[name=property]").all()]
    tour.go(f"{at}/dimensions?property={numbers[0]}")
    yield "customer-4-dimensions"
    tour.page.click("button:has-text('Link')")
    tour.synchronised()
    tour.go(f"{at}/progress")
    yield "customer-5-segments"
    for topic in ("audience", "dimension"):
        tour.go(f"/help/{topic}")
        yield f"customer-help-{topic}"


def leaving_stops(tour: Tour) -> Iterator[str]:
    """How a customer leaves."""
    begun = tour.begin("leaving-shop")
    tour.consent(begun, AGENCY)
    tour.go(f"/connect/{begun['grant_id']}/progress")
    yield "customer-5-nothing-linked"
    tour.link(begun)
    tour.go(f"/connect/{begun['grant_id']}/disconnect")
    yield "customer-6-disconnect"
    tour.page.click("button.danger")
    yield "customer-7-receipt"
    tour.context.clear_cookies()
    tour.go(f"/connect/{begun['grant_id']}")
    yield "customer-refused-browser"


def console_stops(tour: Tour) -> Iterator[str]:
    """Signing in, filtering, coverage."""
    made = tour.stage.service.users.add(ADMIN, "admin", "*", "tour")
    tour.go(made.address(tour.stage.base))
    yield "console-setup"
    tour.set_password(made.address(tour.stage.base))
    yield "console-login"
    tour.page.fill("#email", ADMIN)
    tour.page.fill("#password", "wrong")
    tour.page.click("main button")
    yield "console-login-wrong"
    tour.page.fill("#password", PASSWORD)
    tour.page.click("main button")
    yield "console-links"
    tour.page.click("main h2 a")
    yield "console-workbench"
    at = tour.page.url
    for button in ("#a2", "#a3", "#x5"):
        before = tour.page.url
        tour.page.click(button)
        tour.page.wait_for_function("before => location.href !== before", arg=before)
    yield "console-workbench-filtered"
    tour.go(f"{at}?filter=((")
    yield "console-workbench-refused"
    tour.go(f"{at}/coverage")
    yield "console-coverage"
    tour.page.click(".calendar a >> nth=2")
    yield "console-coverage-day"
    tour.go("/console/links/nobody")
    yield "console-not-found"
    yield from factor_stops(tour)


def factor_stops(tour: Tour) -> Iterator[str]:
    """Turning the second factor on, and signing in with it."""
    for name in tour.turn_factor_on():
        yield f"console-factor-{name}"
    tour.page.click("text=Sign out")
    tour.page.fill("#email", ADMIN)
    tour.page.fill("#password", PASSWORD)
    tour.page.click("main button")
    yield "console-code"
    tour.page.fill("#code", "000000")
    tour.page.click("text=Sign in")
    tour.page.click("summary")
    yield "console-code-wrong"
    tour.page.fill("#recovery", tour.codes[0])
    tour.page.click("text=Sign in with it")


def admin_stops(tour: Tour) -> Iterator[str]:
    """The administrators' pages; the visitor is signed in already."""
    link = tour.call("GET", f"/v1/links?customer_id={CUSTOMER}")["links"][0]
    for name, path in (
        ("links", "/admin"),
        ("link", f"/admin/links/{link['link_id']}"),
        ("grants", "/admin/grants"),
        ("grant", f"/admin/grants/{link['grant_id']}"),
        ("keys", "/admin/keys"),
        ("people", "/admin/people"),
        ("audit", "/admin/audit?verify=1"),
    ):
        tour.go(path)
        yield f"admin-{name}"
    tour.go("/admin/keys").fill("#customer", CUSTOMER)
    tour.page.click("button:has-text('Make a key')")
    yield "admin-keys-made"
    tour.go("/admin/people").fill("#email", "sam@shop.example")
    tour.page.fill("#customer", CUSTOMER)
    tour.page.click("button:has-text('Invite')")
    yield "admin-people-invited"


def every_stop(tour: Tour) -> Iterator[str]:
    """The whole tour."""
    yield from customer_stops(tour)
    yield from leaving_stops(tour)
    yield from console_stops(tour)
    yield from admin_stops(tour)
