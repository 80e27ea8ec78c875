"""Finds secrets by the name of their field and by their form, and replaces each by a pseudonym."""

import hashlib
import re
import secrets
from itertools import pairwise

MAX_PSEUDONYMS = 100_000
PSEUDONYM = re.compile(r"secret-\d{1,7}(?:@pseudonym\.invalid)?")
"""The form of pseudonyms; the pseudonym of an e-mail address is an address."""

_TELLING = """
    password passwd passphrase passcode pwd pass secret token jwt bearer credential credentials authorization
    auth cookie session sessionid sid csrf xsrf otp totp pin cvv cvc iban ssn signature nonce apikey
"""
_WORDS = frozenset(_TELLING.split())
_KEYS = frozenset({"api", "access", "private", "signing", "encryption", "client", "shared"})
_BENIGN = frozenset({"type", "at", "in", "on", "count", "length", "expiry", "expires", "enabled", "required", "policy"})
"""A name that ends in such a word holds something about the secret, not the secret."""
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")
_NAMED = re.compile(
    r"(?i)((?:password|passwd|passphrase|pwd|secret|token|csrf\w*|xsrf\w*|session_?id|api_?key)\w{0,20}"
    r"[\"']?\s{0,5}(?:[:=]|\s[^<>]{0,200}?value=|\scontent=)\s{0,5}[\"']?)([^\s\"'<>&;,]{4,})"
)
"""In text that is neither JSON nor a form: a telling name, then `=`, `:` or an attribute, then the value."""
_LOOKS = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z ]{0,40}-----|\Z)"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|(?<=://)[^\s/:@\"'{}]{0,100}:[^\s/@\"']{1,200}(?=@)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}\b"
    r"|\b(?:(?:gh[pousr]|github_pat)_\w{30,}|glpat-[\w-]{20,}|xox[a-s]-[\w-]{10,})"
    r"|\b(?:[sr]k_(?:live|test)_\w{16,}|sk-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,})",
    re.DOTALL,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}(?:[^\W\d_]{2,24}|xn--[\w-]{2,59})(?![\w-])")
_RUN = re.compile(r"[A-Za-z0-9_~+/=-]{6,}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RANDOM_LENGTH = 24
_PART_LENGTH = 16
"""Of a part between slashes, which base64 has as well."""
_HEX_LENGTH = 32


class Pseudonyms:
    """One pseudonym per value, in the order of appearance. Keeps keyed digests, never the values; bounded."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._names: dict[bytes, str] = {}

    def of(self, value: str) -> str:
        """The pseudonym of a secret; an empty text or a pseudonym stays."""
        if not value or PSEUDONYM.fullmatch(value):
            return value
        digest = self._digest(value)
        name = self._names.get(digest)
        if name is None:
            if len(self._names) >= MAX_PSEUDONYMS:
                return "secret-0"
            name = self._names[digest] = f"secret-{len(self._names) + 1}"
        return f"{name}@pseudonym.invalid" if _EMAIL.fullmatch(value) else name

    def text(self, text: str) -> str:
        """The text without parts that look like a secret, or that were a secret elsewhere."""
        if self._digest(text) in self._names:
            return self.of(text)
        text = _LOOKS.sub(lambda found: self.of(found[0]), text)
        text = _EMAIL.sub(lambda found: self.of(found[0]), text)
        return _RUN.sub(lambda found: self._run(found[0]), text)

    def page(self, text: str) -> str:
        """The same for text that cannot be parsed: a value after a telling name is replaced as well."""
        return self.text(_NAMED.sub(lambda found: found[1] + self.of(found[2]), text))

    def _run(self, run: str) -> str:
        known = self._digest(run) in self._names
        return self.of(run) if known or _is_random(run) else run

    def _digest(self, value: str) -> bytes:
        return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key).digest()


def tells_secret(name: str) -> bool:
    """Whether a field of that name holds a secret: `newPassword`, `api_key`, `X-CSRF-Token`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _BENIGN:
        return False
    keyed = any(one in _KEYS and other in ("key", "code") for one, other in pairwise(words))
    return keyed or not _WORDS.isdisjoint(words) or "".join(words) in _WORDS


def _is_random(run: str) -> bool:
    """True for keys and tokens; false for names, which are made of words, and ids, which a replay needs."""
    if "/" in run:
        return any(_is_mixed(part, _PART_LENGTH) for part in run.split("/"))
    return _is_mixed(run, _RANDOM_LENGTH)


def _is_mixed(run: str, length: int) -> bool:
    if _UUID.fullmatch(run) or len(run) < length:
        return False
    kinds = ["0" if c.isdigit() else "a" if c.islower() else "A" if c.isupper() else "-" for c in run]
    if len(run) >= _HEX_LENGTH and re.fullmatch(r"[0-9a-fA-F]+", run):
        return {"0"} < set(kinds)
    changes = sum(a != b for a, b in pairwise(kinds))
    return {"a", "A", "0"} <= set(kinds) and changes >= 0.4 * len(run)
