"""The gateway serves any monolith: no word of one monolith's business stands in it."""

import re
from pathlib import Path

import pytest

import strangler_gateway

ROOT = Path(strangler_gateway.__file__).parent
BUSINESS = """
    polycode shop purchase submission scoreboard leaderboard certification exercise tutorial hackathon learning
    mailer mailbox sandbox bought transactions hints teams nestjs typeorm mongo(?:db)? rabbitmq keycloak
"""
# These have a plain meaning as well; in a name or as a key they would be the monolith's.
NAMES = "points hint team item user_?id"
WORD = re.compile(
    rf"(?<![a-z])(?:{'|'.join(BUSINESS.split())})(?![a-z])|(?<=[_'\"$.])(?:{'|'.join(NAMES.split())})(?=['\"_])",
    re.IGNORECASE,
)


def business_words(text: str) -> list[str]:
    return WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_word_of_a_monolith_stands_in(path: Path) -> None:
    assert business_words(path.stem) + business_words(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('url: "http://shop:1"', ["shop"]),
        ("ShopClient", ["Shop"]),
        ("POLYCODE_URL", ["POLYCODE"]),
        ("row['points']", ["points"]),
        ("spend_points_of(user)", ["points"]),
        ('"userId"', ["user_Id"]),
        ("a share in basis points", []),
        ("a workshop, an endpoint", []),
    ],
)
def test_the_search_finds_words_in_every_spelling(text: str, found: list[str]) -> None:
    assert business_words(text) == found


def test_there_is_something_to_search() -> None:
    assert len(list(ROOT.rglob("*.py"))) > 40
