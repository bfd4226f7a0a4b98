"""The use cases of consent: what customers have said, and who may be addressed."""

from collections.abc import Mapping, Sequence

import numpy as np

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.consents import (
    Agreement,
    Consent,
    ConsentState,
    CustomerConsent,
    check_consents,
)
from customer_segmentation.domain.errors import CustomerNotFoundError
from customer_segmentation.domain.history import Cause
from customer_segmentation.services.audiences.membership import note_customers
from customer_segmentation.services.runtime.audit import CUSTOMER, note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import consents

_LONGEST_ACTION = 32


def get_consents(units: UnitsOfWork, customer_id: CustomerId) -> list[Consent]:
    """Return what a customer has said, by purpose and channel.

    Raises:
        CustomerNotFoundError: there is no such customer.
    """
    with units.read() as work:
        return _read(work, customer_id)


def set_consents(
    work: UnitOfWork, customer_id: CustomerId, given: Sequence[Consent], by: str = ""
) -> list[Consent]:
    """Keep what a customer has said; what it said later before stays.

    Returns:
        all that it has said.

    Raises:
        CustomerNotFoundError: there is no such customer.
        InvalidInputError: a purpose or channel is blank, or a time is in the future.
    """
    if set_many(work, [CustomerConsent(customer_id, one) for one in given], by):
        raise CustomerNotFoundError(customer_id)
    return _read(work, customer_id)


def set_many(work: UnitOfWork, given: Sequence[CustomerConsent], by: str = "") -> list[CustomerId]:
    """Keep what many customers have said.

    Returns:
        who is not there, once each; nothing is kept of them.

    Raises:
        InvalidInputError: a purpose or channel is blank, or a time is in the future.
    """
    check_consents([one.consent for one in given], now())
    ids = [*dict.fromkeys(one.customer_id for one in given)]
    found = work.ids.numbers_of(work.connection, np.array(ids, dtype=work.ids.dtype))
    numbers = dict(zip(ids, found.tolist(), strict=True))
    # Locked, so that nobody deletes or erases them meanwhile.
    there = work.customers.find_many(work.connection, np.unique(found), for_update=True).ids
    stored = {*there.tolist()}
    kept = [one for one in given if numbers[one.customer_id] in stored]
    consents.write(work.connection, [(numbers[one.customer_id], one.consent) for one in kept])
    for one in kept:
        said = one.consent
        action = f"{said.state}: {said.purpose} {said.channel}"[:_LONGEST_ACTION]
        note(work.connection, CUSTOMER, one.customer_id, action, by)
    note_customers(work, there, Cause.CONSENT)
    return [one for one in ids if numbers[one] not in stored]


def agreement(settings: Settings, purpose: str, channels: Sequence[str]) -> Agreement:
    """Return to what customers must have agreed, as the settings count who has said nothing."""
    return Agreement(purpose, tuple(channels), settings.unknown_consent == "granted")


class ClosedChannels:
    """Tells on which channels customers must not be addressed, for the purpose of the settings."""

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Ask nothing yet."""
        self._units = units
        self._purpose = settings.consent_purpose
        self._is_given_unless_denied = settings.unknown_consent == "granted"
        self._channels = units.schema.channels

    def of(self, customer_ids: Sequence[CustomerId]) -> Mapping[CustomerId, frozenset[str]]:
        """Return, by customer, the channels that are closed; nothing where no purpose is set."""
        if not self._purpose or not customer_ids:
            return {}
        with self._units.database.read(brief=True) as connection:
            ids = np.array(customer_ids, dtype=self._units.ids.dtype)
            numbers = self._units.ids.numbers_of(connection, ids)
            told = consents.of_many(connection, numbers, self._purpose)
        return {
            one: frozenset(self._closed(told.get(number, {})))
            for one, number in zip(customer_ids, numbers.tolist(), strict=True)
        }

    def _closed(self, told: Mapping[str, str]) -> list[str]:
        if self._is_given_unless_denied:
            return [channel for channel, state in told.items() if state == ConsentState.DENIED]
        return [c for c in self._channels if told.get(c) != ConsentState.GRANTED]


def _read(work: UnitOfWork, customer_id: CustomerId) -> list[Consent]:
    number = work.ids.number_of(work.connection, customer_id)
    if number is None or work.customers.find(work.connection, number) is None:
        raise CustomerNotFoundError(customer_id)
    return consents.of_customer(work.connection, number)
