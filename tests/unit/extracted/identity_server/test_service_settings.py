"""The settings choose between a shared token and tokens of Keycloak."""

import pytest
from pydantic import SecretStr

from chassis.auth.service_credentials import ClientCredentials, SharedToken
from chassis.settings import SettingsInvalid, load
from extracted.identity_server.service_settings import callers
from extracted.learning.settings import Settings as Learning
from extracted.shop.settings import Settings as Shop

SHARED, SECRET = SecretStr("the-token-of-both"), SecretStr("secret-of-the-client")
KEYCLOAK = {"keycloak_url": "http://127.0.0.1:9/"}


def learning(**own: object) -> Learning:
    fixed = {"database_url": SecretStr("sqlite:///unused"), "jwks_url": "http://127.0.0.1:9/jwks.json"}
    return load(Learning, **fixed, runner_url="http://127.0.0.1:9", **own)


async def test_a_client_secret_wins_over_the_shared_token() -> None:
    credential = learning(**KEYCLOAK, runner_token=SHARED, service_client_secret=SECRET).credential(SHARED)
    assert isinstance(credential, ClientCredentials)
    await credential.aclose()
    assert isinstance(learning(**KEYCLOAK, runner_token=SHARED).credential(SHARED), SharedToken)


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"service_client_secret": SECRET}, "LEARNING_SERVICE_CLIENT_SECRET needs LEARNING_KEYCLOAK_URL"),
        (KEYCLOAK, "LEARNING_RUNNER_TOKEN .or LEARNING_SERVICE_CLIENT_SECRET. are needed together"),
        ({**KEYCLOAK, "service_client_secret": SecretStr("short")}, "LEARNING_SERVICE_CLIENT_SECRET: "),
    ],
)
def test_what_is_incomplete_is_refused_at_the_start(own: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsInvalid, match=says) as refused:
        learning(**own)
    assert "secret-of" not in str(refused.value)


async def test_a_called_service_may_take_both_and_nobody_without_either() -> None:
    shop = load(Shop, database_url=SecretStr("x"), jwks_url="http://127.0.0.1:9/jwks.json", **KEYCLOAK)
    tokens = shop.client_tokens()
    assert tokens is not None
    for check, shared_passes in ((callers(SHARED, tokens), True), (callers(None, tokens), False)):
        assert check is not None
        assert (await check.refusal(b"Bearer the-token-of-both") is None) is shared_passes
        assert await check.refusal(b"Bearer another") is not None
    await tokens.aclose()
    assert callers(None, None) is None
