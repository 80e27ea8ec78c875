"""Which texts are e-mail addresses: as the monolith's validator has it."""

import re
from typing import Final

from extracted.wire.validation import Rule

_ATOM = r"[a-z\d!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?"
_LOCAL, _DOMAIN = rf"{_ATOM}(?:\.{_ATOM})*", rf"{_LABEL}(?:\.{_LABEL})+"
_ADDRESS: Final = re.compile(rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_LOCAL}@{_DOMAIN}", re.IGNORECASE | re.ASCII)


def is_address(value: object) -> bool:
    """Dot-atom @ domain name (RFC 5321 §4.1.2), in ASCII: no quotes, no address literal, no international domain."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


ADDRESS: Final = Rule(is_address, "must be an email")
