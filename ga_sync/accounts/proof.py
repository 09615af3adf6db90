"""What proves that a dimension carries recording ids: how many of them Google knew yesterday."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ga_sync.accounts.errors import Invalid
from ga_sync.accounts.linking import Linking
from ga_sync.accounts.names import check_property
from ga_sync.analytics import requests
from ga_sync.analytics.client import Google
from ga_sync.sync.window import local_day


class Proof:
    """Asks one small report for each proof."""

    def __init__(self, linking: Linking, google: Google, clock: Callable[[], datetime]) -> None:
        self._linking, self._google, self._clock = linking, google, clock

    def seen_yesterday(self, grant_id: str, customer_id: str, property_name: str, parameter_name: str) -> int:
        """How many ids Google's reports know of yesterday, in the property's time zone, under a parameter.

        Raises:
            Invalid: no such property or parameter can exist.
            Conflict, PropertyUnreadable, DimensionUnknown, Unavailable: as ``Linking.create``.
        """
        check_property(property_name)
        return self._linking.asked(
            grant_id, customer_id, lambda token: self._seen(token, property_name, parameter_name)
        )

    def _seen(self, token: str, property_name: str, parameter_name: str) -> int:
        zone = self._google.property(token, property_name).time_zone
        yesterday = local_day(self._clock(), zone) - timedelta(days=1)
        try:
            report = requests.seen_report(property_name, parameter_name, yesterday)
        except ValueError as error:
            raise Invalid(str(error)) from error
        return self._google.run_report(token, report).row_count
