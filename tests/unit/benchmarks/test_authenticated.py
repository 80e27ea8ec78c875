"""The load of many users: each token is one that the gateway of this benchmark verifies."""

import json
from pathlib import Path

from joserfc.jwk import RSAKey

from benchmarks.common.migration import TARGET, routes_yaml
from benchmarks.gateway.authenticated import _with, identity_yaml, token
from chassis.auth.claims import NOBODY, Identity
from strangler_gateway.config.file import load
from strangler_gateway.identity.providers import open_source
from strangler_gateway.table.matcher import Matcher
from tests.support.gateway.exchanges import signer


def test_each_user_has_a_token_and_nobodys_requests_go_to_the_same_service(tmp_path: Path) -> None:
    key = RSAKey.generate_key(2048, {"kid": "2026"})
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    table = load(_with(routes_yaml(1, 2), identity_yaml(jwks)), {})
    route, _ = Matcher(table).match(b"GET", TARGET.encode())
    assert (route.movable.anonymous, route.movable.share) == ("address", 10_000)
    provider = open_source(table.identity[0], signer()).provider
    found = [provider.identify([(b"Authorization", b"Bearer " + token(key, n).encode())]) for n in range(2)]
    subjects = [identity.subject for identity in found if isinstance(identity, Identity)]
    assert len(set(subjects)) == 2
    assert provider.identify([]) is NOBODY
