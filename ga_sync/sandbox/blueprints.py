"""What a generated world is drawn from: dimensions, audiences, and ids that are hard to carry unharmed."""

import unicodedata
from typing import Any

COUNTRIES = ("Germany", "France", "United States", "India", "New Zealand", "Brazil")
DEVICES = ("desktop", "mobile", "tablet")
CHANNELS = ("Organic Search", "Direct", "Paid Search", "Email", "Referral")
PLANS = ("free", "plus", "pro")
PAGES = ("home", "product", "basket", "help")
FIELDS = (
    "country",
    "deviceCategory",
    "sessionDefaultChannelGroup",
    "newVsReturning",
    "eventName",
    "eventValue",
    "customEvent:page_group",
    "customUser:plan",
)
ZONES = (
    ("Europe/Berlin", "EUR"),
    ("America/Los_Angeles", "USD"),
    ("Asia/Kolkata", "INR"),
    ("Pacific/Auckland", "NZD"),
    ("America/Sao_Paulo", "BRL"),
    ("UTC", "EUR"),
)
PARAMETERS = ("sessioncam_id", "sc_session_id", "SessionCamRecording", "recording_ref")
ODD_IDS = (
    "quote\"and'apostrophe",
    "emoji-\N{TEST TUBE}\N{EYE}\N{VARIATION SELECTOR-16}",
    ("x" * 99) + "\N{GREEK SMALL LETTER OMEGA}",
    "CaseMatters-7f3a",
    "casematters-7f3a",
    unicodedata.normalize("NFC", "caf\N{LATIN SMALL LETTER E WITH ACUTE}-12"),
    unicodedata.normalize("NFD", "caf\N{LATIN SMALL LETTER E WITH ACUTE}-12"),
    " leading-and-trailing ",
    "\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}-right-to-left",
    "line\nbreak",
)
JUNK: tuple[str | None, ...] = (None, "", "(not set)", "(data not available)")


def condition(field: str, **one_filter: object) -> dict[str, Any]:
    """Make a dimensionOrMetricFilter expression in JSON form."""
    return {"dimensionOrMetricFilter": {"fieldName": field, **one_filter}}


def exact(field: str, value: str) -> dict[str, Any]:
    """Make an exact, case-sensitive string condition."""
    return condition(field, stringFilter={"matchType": "EXACT", "value": value, "caseSensitive": True})


def clause(
    expression: dict[str, Any], scope: str = "WITHIN_SAME_SESSION", kind: str = "INCLUDE"
) -> dict[str, Any]:
    """Make an AudienceFilterClause in JSON form; the expression is wrapped as the Admin API wants: AND of ORs."""
    wrapped = {"andGroup": {"filterExpressions": [{"orGroup": {"filterExpressions": [expression]}}]}}
    return {
        "clauseType": kind,
        "simpleFilter": {"scope": f"AUDIENCE_FILTER_SCOPE_{scope}", "filterExpression": wrapped},
    }


def over(field: str, value: int) -> dict[str, Any]:
    """Make a greater-than condition."""
    return condition(field, numericFilter={"operation": "GREATER_THAN", "value": {"int64Value": str(value)}})


_SEARCH = condition("sessionDefaultChannelGroup", stringFilter={"matchType": "ENDS_WITH", "value": "search"})
# Name, clauses, and how many days into the world the audience was created (negative: before it began).
AUDIENCES: tuple[tuple[str, list[dict[str, Any]], int], ...] = (
    ("All Users", [clause({"notExpression": exact("country", "Brazil")})], -20),
    (
        "Everybody but tablets",
        [clause(condition("deviceCategory", inListFilter={"values": list(DEVICES[:2])}))],
        -20,
    ),
    ("Visitors from Atlantis", [clause(exact("country", "Atlantis"))], -20),
    (
        "Returning buyers",
        [clause(exact("newVsReturning", "returning")), clause(exact("eventName", "purchase"))],
        -20,
    ),
    (
        "\N{SHOPPING TROLLEY} Basket over 100 \N{EURO SIGN}",
        [clause(over("eventValue", 100), "ACROSS_ALL_SESSIONS")],
        -5,
    ),
    (
        "\N{ARABIC LETTER AIN}\N{ARABIC LETTER MEEM}\N{ARABIC LETTER LAM}\N{ARABIC LETTER ALEF} (mobile)",
        [clause(exact("deviceCategory", "mobile"))],
        3,
    ),
    ("Returning buyers", [clause(exact("sessionDefaultChannelGroup", "Email"))], 10),
    (
        "Search, never help",
        [clause(_SEARCH), clause(exact("customEvent:page_group", "help"), kind="EXCLUDE")],
        -20,
    ),
)
ALWAYS = 3
