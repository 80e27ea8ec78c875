"""docs/settings.md is what the code says now, and explains every word that the code has."""

import re
from collections.abc import Mapping

import pytest

from strangler_gateway.http.fields import kind_of
from tests.docs.generated.settings_page import DEPLOYABLES, HEADERS, PAGE, WORDS, page
from tests.docs.generated.settings_page import _meanings as meanings


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make settings-doc`"


@pytest.mark.parametrize(("explained", "had"), WORDS)
def test_every_word_of_the_code_is_explained_and_no_other(explained: Mapping[str, str], had: set[str]) -> None:
    assert set(explained) == had


@pytest.mark.parametrize("settings", [settings for *_, settings in DEPLOYABLES])
def test_every_setting_says_what_it_is(settings: type) -> None:
    assert set(settings.model_fields) <= set(meanings(settings))  # type: ignore[attr-defined]  # a pydantic model


def test_request_fields_of_the_gateways_own_are_known_to_it() -> None:
    named = [name for name, text in HEADERS.items() if text.startswith("request") and re.match("Strangler", name)]
    assert len(named) == 4
    assert all(kind_of(name.encode()) for name in named)
