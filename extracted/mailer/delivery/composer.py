"""Composes the message of a claimed mail: the same bytes at every attempt."""

from dataclasses import dataclass

from extracted.mailer.domain import Claimed, OutgoingMessage, Raw, Templated
from extracted.mailer.ports import TemplateCatalog
from extracted.mailer.templating.render import message


@dataclass(frozen=True, slots=True)
class Composer:
    """`name`, `address`: the sender of templated mails."""

    templates: TemplateCatalog
    name: str
    address: str

    def __call__(self, claimed: Claimed) -> OutgoingMessage:
        """Raises RequestInvalid, or what a template raises."""
        content = claimed.content
        if isinstance(content, Raw):
            return OutgoingMessage(claimed.mail_id, content.sender, claimed.recipient, content.content)
        return OutgoingMessage(claimed.mail_id, self.address, claimed.recipient, self._message(claimed, content))

    def _message(self, claimed: Claimed, content: Templated) -> bytes:
        """Its Message-ID lets a provider's log be searched for it, and mailboxes see that two copies are one mail."""
        domain = self.address.rpartition("@")[2]
        return message(
            self.templates.rendered(content.kind, content.locale, content.variables),
            sender_name=self.name,
            sender=self.address,
            recipient=claimed.recipient,
            message_id=f"<{claimed.mail_id}@{domain}>",
            date=claimed.created_at,
            mail_id=claimed.mail_id,
        )
