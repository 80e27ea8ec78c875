"""Identity provider `jwt`: the signature of a token that the monolith, or its identity server, has issued."""

import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity
from chassis.auth.jwks import FixedKeys, KeySource, RemoteKeys
from chassis.auth.jwt import (
    MAX_BYTES,
    Checks,
    TokenRejected,
    UnverifiedHeader,
    unverified_header,
    unverified_issuer,
    verify,
)
from chassis.error_reason import reason
from chassis.ttl_cache import TtlCache
from strangler_gateway.identity.introspect import IntrospectProvider
from strangler_gateway.identity.rules import (
    IdentityRulesInvalid,
    IntrospectOptions,
    JwtOptions,
    cookies,
    field,
    roles_from,
    subject_from,
)
from strangler_gateway.table.json_path import parse_place, value_at

MAX_USERS = 20_000
MAX_HEADERS = 1_000
MAX_HEADER_BYTES = 512
REJECTED = Identity(AuthenticationOutcome.REJECTED)
_SHARED = frozenset({"HS256", "HS384", "HS512"})
_PAIRS: dict[str, tuple[type[RSAKey] | type[ECKey] | type[OKPKey], str]] = {
    **{f"{family}{size}": (RSAKey, family) for family in ("RS", "PS") for size in (256, 384, 512)},
    **{f"ES{size}": (ECKey, "ES") for size in (256, 384, 512)},
    "Ed25519": (OKPKey, "Ed"),
}


class OwnToken(NamedTuple):
    """A token that says it is the provider's; nothing is verified yet."""

    token: bytes
    digest: bytes
    key_id: str | None


class JwtProvider:
    """Knows a user by a signature alone; a verified token is remembered, by its digest, until it expires.

    A token that says of itself that it is another's is rejected at once: no key is looked for, nobody is asked.
    """

    lasting = True
    """What was said of a field section stays true until `expires_at`: `identify` need not be asked again."""

    def __init__(self, options: JwtOptions, clock: Callable[[], float] = time.time) -> None:
        self._checks = _checks(options)
        self._key, self._keys = _keys(options)
        self._header = options.header.lower().encode()
        self.by_authorization = options.cookie is None and self._header == b"authorization"
        """No other field is looked at."""
        self._cookie = options.cookie.encode() if options.cookie else None
        self._any_scheme = options.scheme == "any"
        self._user = parse_place(options.user)
        self._roles = parse_place(options.roles) if options.roles else None
        self._live = _live(options)
        self._clock = clock
        self._verified: TtlCache[bytes, Identity] = TtlCache(MAX_USERS)
        self._headers: TtlCache[bytes, UnverifiedHeader] = TtlCache(MAX_HEADERS)

    def identify(self, fields: Fields) -> Identity | Awaitable[Identity]:
        """At once, unless the key set has to be read first."""
        sent = self._sent(fields)
        if sent is None:
            return NOBODY
        digest = hashlib.sha256(sent).digest()
        identity = self._verified.get(digest, self._clock())
        return identity if identity is not None else self._unseen(sent, digest)

    def own(self, fields: Fields) -> OwnToken | None:
        """The request's token, if it says that it is this provider's."""
        sent = self._sent(fields)
        token = None if sent is None else self._token(sent)
        header = None if token is None else self._own_header(token)
        if sent is None or token is None or header is None:
            return None
        digest = hashlib.sha256(sent).digest()
        if self._verified.get(digest, self._clock()) is None and not self._is_issued_by_us(token):
            return None
        return OwnToken(token, digest, header.key_id)

    def confirm(self, identity: Identity, fields: Fields) -> Identity | Awaitable[Identity]:
        """A signature has no live state: the token's end is looked at again, and the URL asked if there is one."""
        if identity.expires_at is not None and identity.expires_at <= self._clock():
            return replace(REJECTED, credential=identity.credential)
        return identity if self._live is None else self._confirm(self._live, identity, fields)

    async def aclose(self) -> None:
        """Closes the connections to the key set and to the live state."""
        if self._keys is not None:
            await self._keys.aclose()
        if self._live is not None:
            await self._live.aclose()

    async def _confirm(self, live: IntrospectProvider, identity: Identity, fields: Fields) -> Identity:
        """The token's user is the one whom the live state names, or nobody."""
        now = await live.confirm(identity, fields)
        if now.subject is None or now.subject != identity.subject:
            return replace(REJECTED, credential=identity.credential)
        return replace(identity, roles=now.roles)

    def _sent(self, fields: Fields) -> bytes | None:
        if self._cookie is None:
            sent = field(fields, self._header) or None
            return None if self._any_scheme and sent is not None and _second_word(sent) is None else sent
        return next((value for name, value in cookies(fields) if name == self._cookie and value), None)

    def _token(self, sent: bytes) -> bytes | None:
        if self._cookie is not None:
            return sent
        return _second_word(sent) if self._any_scheme else _bearer(sent)

    def _unseen(self, sent: bytes, digest: bytes) -> Identity | Awaitable[Identity]:
        token = self._token(sent)
        header = None if token is None else self._own_header(token)
        if token is None or header is None or not self._is_issued_by_us(token):
            return replace(REJECTED, credential=digest)
        if self._key is not None:
            return self._verify(token, digest, self._key)
        assert self._keys is not None  # one of the two is set
        key = self._keys.known(header.key_id)
        return self._ask(self._keys, header.key_id, token, digest) if key is None else self._verify(token, digest, key)

    def _own_header(self, token: bytes) -> UnverifiedHeader | None:
        """The header, if a token of this provider may have it; tokens of one issuer share few of them."""
        segment = token[: token.find(b".") + 1]
        header = self._headers.get(segment, 0.0)
        if header is None:
            try:
                header = unverified_header(token)
            except TokenRejected:
                return None
            if len(segment) <= MAX_HEADER_BYTES:
                self._headers.put(segment, header, 1.0)
        return header if header.algorithm in self._checks.algorithms else None

    def _is_issued_by_us(self, token: bytes) -> bool:
        issuer = self._checks.issuer
        return issuer is None or (len(token) <= MAX_BYTES and unverified_issuer(token) == issuer)

    async def _ask(self, keys: KeySource, kid: str | None, token: bytes, digest: bytes) -> Identity:
        key = await keys.find(kid)
        return replace(REJECTED, credential=digest) if key is None else self._verify(token, digest, key)

    def _verify(self, token: bytes, digest: bytes, key: Key) -> Identity:
        try:
            claims = verify(token, key, self._checks, self._clock())
        except TokenRejected:
            return replace(REJECTED, credential=digest)
        subject = subject_from(value_at(claims, self._user))
        if subject is None:
            return replace(REJECTED, credential=digest)
        roles = roles_from(value_at(claims, self._roles)) if self._roles else ()
        identity = Identity(AuthenticationOutcome.USER, subject, roles, float(claims["exp"]), digest)
        self._verified.put(digest, identity, float(claims["exp"]))
        return identity


def _bearer(value: bytes) -> bytes | None:
    """The token behind the scheme Bearer."""
    scheme, _, token = value.partition(b" ")
    return token.strip() or None if scheme.lower() == b"bearer" else None


def _second_word(value: bytes) -> bytes | None:
    """The token behind any scheme, of exactly two words."""
    words = value.split(b" ")
    return words[1] if len(words) == 2 and all(words) else None


def _live(options: JwtOptions) -> IntrospectProvider | None:
    if options.confirm is None:
        return None
    forward, named = (["cookie"], [options.cookie]) if options.cookie else ([options.header], None)
    return IntrospectProvider(IntrospectOptions(forward=forward, cookies=named, cache_s=0.0, **options.confirm))


def _checks(options: JwtOptions) -> Checks:
    unknown = [name for name in options.algorithms if name not in _PAIRS and name not in _SHARED]
    if unknown or not options.algorithms:
        wanted = ", ".join([*_PAIRS, *sorted(_SHARED)])
        raise IdentityRulesInvalid(f"identity jwt: algorithms {options.algorithms}; wanted some of {wanted}")
    return Checks(
        algorithms=tuple(options.algorithms),
        issuer=options.issuer,
        audience=options.audience,
        leeway_s=int(options.leeway_s),
        parties=tuple(options.azp or ()),
        token_type=options.typ,
    )


def _keys(options: JwtOptions) -> tuple[Key | None, KeySource | None]:
    """One key, or a set. Secrets and public keys never mix: a public key could pass as the secret (RFC 8725 §2.1)."""
    sources = {"jwks_url", "jwks_file", "key_file", "key_env"}
    named = [name for name in sorted(sources) if getattr(options, name)]
    if len(named) != 1:
        raise IdentityRulesInvalid(
            f"identity jwt: {named or 'no'} key source; wanted one of {', '.join(sorted(sources))}"
        )
    shared = _SHARED.intersection(options.algorithms)
    if shared and len(shared) < len(set(options.algorithms)):
        raise IdentityRulesInvalid("identity jwt: algorithms mixes HS… with public-key ones; wanted one kind")
    if shared and named[0].startswith("jwks"):
        raise IdentityRulesInvalid(
            f"identity jwt: {', '.join(sorted(shared))} needs key_file or key_env, never a key set"
        )
    if options.jwks_url:
        return None, RemoteKeys(options.jwks_url)
    if options.jwks_file:
        return None, _set_in(options.jwks_file)
    return _single(options, bool(shared)), None


def _set_in(path: str) -> KeySource:
    try:
        return FixedKeys(json.loads(Path(path).read_bytes()))
    except (OSError, ValueError) as error:
        raise IdentityRulesInvalid(f"identity jwt: jwks_file {path}: {error}") from error


def _single(options: JwtOptions, shared: bool) -> Key:
    try:
        text = (
            Path(options.key_file).read_bytes() if options.key_file else os.environb[(options.key_env or "").encode()]
        )
    except OSError as error:
        raise IdentityRulesInvalid(f"identity jwt: key_file {options.key_file}: {reason(error)}") from error
    except KeyError:
        raise IdentityRulesInvalid(f"identity jwt: {options.key_env} is not set; it names the key") from None
    kind = OctKey if shared else _PAIRS[options.algorithms[0]][0]
    try:
        return kind.import_key(text.strip())
    except (JoseError, ValueError, TypeError):
        raise IdentityRulesInvalid(
            f"identity jwt: the key cannot be used with {', '.join(options.algorithms)}"
        ) from None
