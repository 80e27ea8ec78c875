"""Renders templates to a mail, and a mail to the bytes of a message. Pure: templates are passed as texts."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import quote

from jinja2 import BaseLoader, DictLoader, StrictUndefined, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from extracted.mailer.ports import Rendered

SUBJECT: Final = "layout/subject.txt"
TEXT: Final = "layout/page.txt"
HTML: Final = "layout/page.html"
MEDIUM: Final = "medium"
"""The variable that a locale's layout extends: one file of words makes subject, text and HTML."""

_PLAIN = re.compile(r"[A-Za-z0-9 !'*+/_-]{1,60}")
"""Text that a header takes as it is: atoms (RFC 5322 section 3.2.3), in names also without quotes."""


class Renderer:
    """All templates, by name. A mail's words stand once, in blocks; three layouts arrange them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        loader = DictLoader(dict(texts))
        self._plain, self._html = _environment(loader, is_html=False), _environment(loader, is_html=True)

    def rendered(self, name: str, values: Mapping[str, object]) -> Rendered:
        """Raises jinja2.TemplateError, also for an undefined variable."""
        words, marked_up = self._plain.get_template(name), self._html.get_template(name)
        return Rendered(
            subject=_one_line(words.render(values, **{MEDIUM: SUBJECT})),
            text=words.render(values, **{MEDIUM: TEXT}),
            html=marked_up.render(values, **{MEDIUM: HTML}),
        )

    def variables(self, name: str) -> set[str]:
        """The variables that the template itself uses, without its parents. Raises jinja2.TemplateError."""
        assert self._plain.loader is not None
        source, _, _ = self._plain.loader.get_source(self._plain, name)
        return meta.find_undeclared_variables(self._plain.parse(source, name))

    def blocks(self, name: str) -> set[str]:
        """The blocks that the template itself fills. Raises jinja2.TemplateError."""
        return set(self._plain.get_template(name).blocks)


def _environment(loader: BaseLoader, *, is_html: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=is_html,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["in_url"] = _in_url
    return environment


def _in_url(value: str) -> str:
    """Quotes it as one path segment."""
    return quote(value, safe="")


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _AsWritten(EmailPolicy):
    """Keeps headers as they are set: the library's folding drops quotes, so a name's comma would split an address."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if not str(value).replace("\n ", "").isprintable():
            raise ValueError(f"{name}: a line break or a control character")
        return name, value

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        """Does not parse: the library asks often, and would take three times as long."""
        return value


_POLICY = _AsWritten(linesep="\r\n", refold_source="none", cte_type="7bit")


def message(
    rendered: Rendered,
    *,
    sender_name: str,
    sender: str,
    recipient: str,
    message_id: str,
    date: datetime,
    mail_id: str,
) -> bytes:
    """The same bytes for the same values. `sender`, `recipient`: canonical; `message_id`: with its brackets.

    The bytes are ASCII unless one of the addresses is not (RFC 6532): then the provider needs SMTPUTF8.
    """
    mail = EmailMessage(_POLICY.clone(utf8=not (sender + recipient).isascii()))
    mail["From"] = f"{_encoded('From', sender_name)} <{sender}>".strip()
    mail["To"] = recipient
    mail["Subject"] = _encoded("Subject", rendered.subject)
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = message_id
    mail["X-PolyCode-Mail-Id"] = mail_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(rendered.text, cte="quoted-printable")
    mail.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    mail.set_boundary(
        f"=_{mail_id}"
    )  # quoted-printable text cannot contain it, so no content can end its part (RFC 2045 §6.7)
    return mail.as_bytes()


def _encoded(name: str, text: str) -> str:
    """As it is where that is safe, else encoded (RFC 2047) and folded."""
    line = _one_line(text)
    return line if _PLAIN.fullmatch(line) else Header(line, "utf-8", header_name=name).encode()
