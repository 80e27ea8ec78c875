"""Turns a captured exchange into one step of a recording; only fields on an allow-list are kept."""

from urllib.parse import unquote

from strangler_gateway.exchange.taps import Fields
from strangler_gateway.http.content_coding import TooLarge, Undecodable, decode
from strangler_gateway.recording.body import LeftOut, form, is_text, scrubbed
from strangler_gateway.recording.secrets import Pseudonyms
from strangler_gateway.recording.step import CREDENTIALS, Pairs, RecordedStep
from strangler_gateway.recording.tap import CapturedExchange

MAX_TEXT = 1 << 20
MAX_CALLERS = 100_000
ORIGIN = "{origin}"
"""Replaces scheme and authority of the gateway in a recorded field."""

_REQUEST_FIELDS = """
    accept accept-language access-control-request-headers access-control-request-method cache-control
    content-language content-type idempotency-key if-match if-modified-since if-none-match if-unmodified-since
    origin prefer range x-requested-with
"""
_REQUEST = CREDENTIALS | frozenset(_REQUEST_FIELDS.split())
_ANSWER_FIELDS = """
    accept-patch accept-ranges access-control-allow-credentials access-control-allow-headers
    access-control-allow-methods access-control-allow-origin access-control-expose-headers
    access-control-max-age allow cache-control content-disposition content-language content-range
    content-security-policy content-type cross-origin-embedder-policy cross-origin-opener-policy
    cross-origin-resource-policy deprecation etag expires last-modified link location permissions-policy
    preference-applied referrer-policy retry-after strict-transport-security sunset vary www-authenticate
    x-content-type-options x-frame-options
"""
_ANSWER = frozenset({"set-cookie", *_ANSWER_FIELDS.split()})


class Scrubber:
    """Makes the steps of one recording, in order."""

    def __init__(self) -> None:
        self._pseudonyms = Pseudonyms()
        self._callers: dict[bytes, str] = {}
        self._steps = 0

    def step(self, captured: CapturedExchange) -> RecordedStep:
        """The exchange without secrets. Raises LeftOut."""
        sent, got = _text(captured.body, captured.fields), _text(captured.answer, captured.answer_fields)
        if sent is None:
            raise LeftOut("no_text")
        actor = self._actor(captured.caller)
        known = self._pseudonyms
        step = RecordedStep(
            name=f"{captured.route}-{self._steps + 1}",
            actor=actor,
            method=captured.method,
            target=self._target(captured.target),
            fields=self._fields(captured.fields, _REQUEST, captured.origin),
            body=scrubbed(sent, _media_type(captured.fields), known),
            status=captured.status,
            answer_fields=self._fields(captured.answer_fields, _ANSWER, captured.origin),
            answer=scrubbed(got, _media_type(captured.answer_fields), known) if got is not None else "",
            flags=frozenset() if got is not None else frozenset({"text"}),
        )
        self._steps += 1
        return step

    def _actor(self, caller: bytes) -> str:
        if not caller:
            return "anon"
        if caller not in self._callers and len(self._callers) >= MAX_CALLERS:
            return "other"
        return self._callers.setdefault(caller, f"u{len(self._callers) + 1}")

    def _target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        spelled = "/".join(map(self._segment, path.split("/")))
        try:
            return spelled + mark + (form(query, self._pseudonyms) if query else "")
        except LeftOut:
            return spelled + mark + self._pseudonyms.page(query)

    def _segment(self, segment: str) -> str:
        decoded = unquote(segment)
        if decoded != segment and self._pseudonyms.text(decoded) != decoded:
            raise LeftOut("secret_in_path")  # encoded: to replace it would change the request
        return self._pseudonyms.text(segment)

    def _fields(self, fields: Fields, kept: frozenset[str], origin: str) -> Pairs:
        texts = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
        return tuple((name, self._value(name.lower(), value, origin)) for name, value in texts if name.lower() in kept)

    def _value(self, name: str, value: str, origin: str) -> str:
        if name == "authorization":
            return self._credential(value)
        if name == "cookie":
            return "; ".join(self._cookie(cookie) for cookie in value.split(";"))
        if name == "set-cookie":
            cookie, mark, attributes = value.partition(";")
            return self._cookie(cookie) + mark + attributes
        if name in ("location", "link") and origin:
            value = value.replace(origin, ORIGIN)
        if name == "location":
            return self._target(value)
        return value if name in _TAGS else self._pseudonyms.text(value)

    def _credential(self, value: str) -> str:
        scheme, space, credential = value.partition(" ")
        if not space or not scheme.isalpha():
            return self._pseudonyms.of(value)
        return f"{scheme} {self._pseudonyms.of(credential.strip())}"

    def _cookie(self, cookie: str) -> str:
        name, mark, value = cookie.strip().partition("=")
        return f"{name}={self._pseudonyms.of(value)}" if mark else self._pseudonyms.of(name)


_TAGS = frozenset({"etag", "if-match", "if-none-match"})
"""Entity tags look like keys, but they are no secrets, and a replay has to send them back."""


def _text(body: bytes, fields: Fields) -> str | None:
    """The body as text; None: it is not text, and only its presence is recorded. Raises LeftOut."""
    if not body:
        return ""
    if not is_text(_media_type(fields)):
        return None
    try:
        return decode(body, fields, MAX_TEXT).decode("utf-8")
    except (Undecodable, UnicodeDecodeError):
        return None
    except TooLarge as exc:
        raise LeftOut("not_whole") from exc


def _media_type(fields: Fields) -> str:
    value = next((value for name, value in fields if name.lower() == b"content-type"), b"")
    return value.partition(b";")[0].strip().lower().decode("latin-1")
