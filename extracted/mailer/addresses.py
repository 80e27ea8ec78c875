"""The canonical form of an e-mail address: RFC 5321 section 4.1.2, with UTF-8 (RFC 6531), without address literals."""

import re
from typing import Final

import idna

from extracted.mailer.ports import RequestInvalid

MAX_OCTETS: Final = 254
"""RFC 5321 section 4.5.3.1.3: 256 with the brackets around."""
MAX_LOCAL_OCTETS: Final = 64

_ATOM = r"[A-Za-z0-9_!#$%&'*+/=?^`{|}~\-\x80-\U0010ffff]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LABEL = r"[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def canonical(text: str) -> str:
    """The address as it is stored and sent: the domain in lower case and A-labels, quotes only where needed.

    Keeps a local part beyond ASCII, as providers with SMTPUTF8 take it. Raises RequestInvalid.
    """
    _refuse_unprintable(text)
    local, _, domain = text.rpartition("@")
    address = f"{_local(local)}@{_domain(domain)}"
    if len(address.encode()) > MAX_OCTETS:
        raise RequestInvalid(f"the address is too long; wanted at most {MAX_OCTETS} octets")
    return address


def _refuse_unprintable(text: str) -> None:
    if not text:
        raise RequestInvalid("the address is empty")
    if len(text) > MAX_OCTETS:
        raise RequestInvalid(f"the address is too long; wanted at most {MAX_OCTETS} octets")
    if not text.isprintable():
        raise RequestInvalid("the address has a line break, a control character or an invisible one")
    if "@" not in text:
        raise RequestInvalid("the address has no @")


def _local(local: str) -> str:
    """Drops quotes that are not needed: the mailbox is the same (RFC 5321 section 4.1.2)."""
    quoted = _QUOTED.fullmatch(local)
    mailbox = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else local
    is_plain = _DOT_STRING.fullmatch(mailbox) is not None
    if not quoted and not is_plain:
        raise RequestInvalid(
            "the part before the @ is empty, or contains a space, comma or dot that is only allowed in quotes"
        )
    written = mailbox if is_plain else '"' + re.sub(r'(["\\])', r"\\\1", mailbox) + '"'
    if len(written.encode()) > MAX_LOCAL_OCTETS:
        raise RequestInvalid(f"the address has, before the @, more than {MAX_LOCAL_OCTETS} octets")
    return written


def _domain(domain: str) -> str:
    if domain.startswith("["):
        raise RequestInvalid("the address has an IP address after the @; wanted a domain name")
    name = domain.lower() if domain.isascii() else ".".join(map(_ascii_label, _remapped(domain).split(".")))
    if not _DOMAIN.fullmatch(name):
        raise RequestInvalid("the address has no domain name after the @")
    return name


def _remapped(domain: str) -> str:
    """Maps case, widths and dots of other scripts (UTS 46). Not all of IDNA 2008: ☃.net gets mail, too."""
    try:
        return idna.uts46_remap(domain, std3_rules=True)
    except idna.IDNAError as error:
        raise RequestInvalid("the domain contains a character that domain names cannot have") from error


def _ascii_label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
