"""The internal token: who calls, signed by the gateway for one service and one minute."""

import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from chassis.auth.claims import Identity
from strangler_gateway.exchange.head_memory import Issued

ISSUER = "strangler"
GATEWAYS = "strangler-gateway"
"""Issuer and audience of the tokens with which gateways call each other."""
GATEWAY_LIFE_S, GATEWAY_LEEWAY_S = 30, 30
"""Clocks of gateways may differ by so much."""
LIFE_S = 60
REUSE_S = 30
MAX_TOKENS = 25_000
KEY_FILE = "signing-key.pem"
log = logging.getLogger(__name__)
_PEM = re.compile(r"-----BEGIN ((?:EC )?PRIVATE KEY|PUBLIC KEY)-----.*?-----END \1-----", re.DOTALL)


class SigningKeyInvalid(ValueError):
    """What was given as signing key cannot be used; the message never shows it."""


class Signer:
    """Signs with the first key; the others are published too, so that tokens of both stay valid during a rotation."""

    def __init__(self, keys: Sequence[ECKey], clock: Callable[[], float] = time.time) -> None:
        self._pairs, self._keys = keys, KeySet(list(keys))
        self._header = {"alg": "ES256", "kid": keys[0].thumbprint()}
        self._clock = clock
        self._tokens: dict[tuple[object, ...], tuple[bytes, int]] = {}
        self._older: dict[tuple[object, ...], tuple[bytes, int]] = {}
        """Tokens and when they were issued: those since `_since`, and those of some time before."""
        self._since = 0.0

    @property
    def keys(self) -> KeySet:
        """All of them; the first one is private and signs."""
        return self._keys

    def token(self, identity: Identity, audience: str) -> bytes:
        """A JWT for the service of that name; the same one for up to 30 s, so it has at least 30 s to live."""
        return self._issued(identity, audience, self._clock())[0]

    def issue(self, identity: Identity, audience: str, last: Issued | None) -> Issued:
        """The same with what it is for. `last`: that of a request before, which is often for the same caller."""
        clock = self._clock
        now = clock()
        if last is not None and last[0] is identity and last[1] is audience and last[2] <= now < last[2] + REUSE_S:
            return last
        token, issued_at = self._issued(identity, audience, now)
        return identity, audience, issued_at, token

    def _issued(self, identity: Identity, audience: str, now: float) -> tuple[bytes, int]:
        if not self._since <= now < self._since + REUSE_S or len(self._tokens) >= MAX_TOKENS:
            self._older, self._tokens, self._since = self._tokens, {}, now
        key = (identity.subject, identity.roles, audience) if identity.subject else (identity.outcome, audience)
        issued = self._tokens.get(key) or self._older.get(key)
        if issued is None or not issued[1] <= now < issued[1] + REUSE_S:  # also by a clock that was put back since
            issued = self._tokens[key] = self._sign(identity, audience, int(now)), int(now)
        return issued

    def _sign(self, identity: Identity, audience: str, now: int) -> bytes:
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": audience,
            "outcome": identity.outcome.value,
            "roles": list(identity.roles),
            "iat": now,
            "exp": now + LIFE_S,
        }
        if identity.subject is not None:
            claims["sub"] = identity.subject
        return jwt.encode(self._header, claims, self._keys.keys[0], algorithms=["ES256"]).encode()

    def gateway_token(self, name: str) -> str:
        """A JWT with which this gateway calls another one; a service's token is no such one, whatever its audience."""
        now = int(self._clock())
        claims = {"iss": GATEWAYS, "aud": GATEWAYS, "sub": name, "iat": now, "exp": now + GATEWAY_LIFE_S}
        return jwt.encode(self._header, claims, self._keys.keys[0], algorithms=["ES256"])

    def gateway_of(self, token: str) -> str | None:
        """The name of the gateway that made the token; None: it is no token of a gateway, or not valid now."""
        try:
            claims = jwt.decode(token, self._keys, algorithms=["ES256"]).claims
            wanted = jwt.JWTClaimsRegistry(
                now=int(self._clock()),
                leeway=GATEWAY_LEEWAY_S,
                iss={"essential": True, "value": GATEWAYS},
                aud={"essential": True, "value": GATEWAYS},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            )
            wanted.validate(claims)
        except (JoseError, ValueError, TypeError):
            return None
        return str(claims["sub"])

    def pem(self) -> str:
        """The keys as `read_keys` reads them, for the other processes of this gateway: a secret."""
        return "\n".join(key.as_pem(private=key.is_private).decode() for key in self._pairs)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517), each with use, alg and its RFC 7638 thumbprint as kid."""
        public = [key.as_dict(private=False) for key in self._keys.keys]
        return {"keys": [{**key, "use": "sig", "alg": "ES256"} for key in public]}


def open_signer(secret: str | None, state_dir: Path) -> Signer:
    """From the secret, else from the file in the state directory, made there once with mode 0600.

    Raises SigningKeyInvalid for a key that cannot be used, OSError for a directory that cannot be written.
    """
    if secret:
        return Signer(read_keys(secret, "STRANGLER_SIGNING_KEY"))
    path = state_dir / KEY_FILE
    if not path.exists():
        _create(path)
    if path.stat().st_mode & 0o077:
        log.warning("%s can be read by others, who could sign as the gateway; make it 0600", path)
    return Signer(read_keys(path.read_text(encoding="ascii", errors="replace"), str(path)))


def ephemeral_signer() -> Signer:
    """A key that dies with the process: for one gateway whose state directory cannot be written."""
    return Signer([_generate()])


def read_keys(text: str, source: str) -> list[ECKey]:
    """P-256 keys in PEM: the private one that signs, then those (private or public) that are only published."""
    blocks = [match.group() for match in _PEM.finditer(text.replace("\\n", "\n"))]
    if not blocks:
        raise SigningKeyInvalid(f"{source}: no PEM key in it; wanted a private EC key on P-256")
    keys = [_read_key(block, source) for block in blocks]
    if not keys[0].is_private:
        raise SigningKeyInvalid(f"{source}: the first key is public; wanted the private one that signs")
    return keys


def _read_key(pem: str, source: str) -> ECKey:
    try:
        key = ECKey.import_key(pem)
    except (JoseError, ValueError, TypeError):
        raise SigningKeyInvalid(f"{source}: not an EC key that can be read; wanted P-256 in PEM") from None
    if key.curve_name != "P-256":
        raise SigningKeyInvalid(f"{source}: a key on {key.curve_name}; wanted P-256, which ES256 signs with")
    return key


def _generate() -> ECKey:
    return ECKey.generate_key("P-256", private=True)


def _create(path: Path) -> None:
    """Whole or not at all, and never over another process's key: a link fails where a name exists."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_generate().as_pem(private=True))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
