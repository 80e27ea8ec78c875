"""The use case of Mailer: a request becomes rows, whether it came by queue, HTTP or SMTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chassis.failpoints import reach
from extracted.mailer.domain import CheckedRequest, Mail, Policy, Raw, Templated
from extracted.mailer.ports import Mails, Notifier, RequestInvalid, TemplateCatalog

Canonical = Callable[[str], str]
"""Returns the canonical form of an address. Raises RequestInvalid."""


@dataclass(frozen=True, slots=True)
class Intake:
    """When a method returns, the rows are committed. The same key gives the same mail."""

    mails: Mails
    templates: TemplateCatalog
    canonical: Canonical
    notifier: Notifier

    async def templated(
        self, key: str, kind: str, recipient: str, locale: str | None, variables: Mapping[str, object]
    ) -> Mail:
        """Raises RequestInvalid, KeyUsed, StoreUnavailable."""
        address = self.canonical(recipient)
        fitting, texts, policy = self.templates.checked(kind, locale, variables)
        [mail] = await self._added([CheckedRequest(key, address, Templated(kind, fitting, texts), policy)])
        return mail

    async def raw(self, key_of: Mapping[str, str], raw: Raw) -> Sequence[Mail]:
        """`key_of`: recipient → key; one mail each, in that order, all or none.

        A recipient that is no valid address is kept, and its mail fails when it is sent. Raises RequestInvalid,
        KeyUsed, StoreUnavailable.
        """
        if not key_of:
            raise RequestInvalid("the mail has no recipient; wanted at least one")
        wanted = [
            CheckedRequest(key, self._as_named(recipient), raw, Policy.AT_LEAST_ONCE)
            for recipient, key in key_of.items()
        ]
        return await self._added(wanted)

    def _as_named(self, recipient: str) -> str:
        try:
            return self.canonical(recipient)
        except RequestInvalid:
            return recipient

    async def _added(self, wanted: Sequence[CheckedRequest]) -> Sequence[Mail]:
        mails = await self.mails.add(wanted)
        await reach("mailer.stored")
        self.notifier.wake(len(wanted))
        return mails
