"""The gateway knows no monolith by name: not PolyCode, not what it is made of, not what it sells."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = re.compile(
    r"\b(?:polycode|nestjs|express|casl|sequelize|mongoose|helmet|shop|purchases?|bought|submissions?|learning|mailer"
    r"|captains?|teams?|legacy_adapter|extracted\.\w+ import)\b",
    re.IGNORECASE,
)


def found_in(package: str) -> list[str]:
    texts = {
        path: path.read_text() for path in sorted((ROOT / package).rglob("*")) if path.suffix in {".py", ".md", ".json"}
    }
    return [f"{path.relative_to(ROOT)}: {word}" for path, text in texts.items() for word in WORDS.findall(text)]


def test_no_word_of_polycode_is_in_the_gateway() -> None:
    assert found_in("strangler_gateway") == []


def test_the_words_are_those_of_its_services() -> None:
    assert len(found_in("extracted")) > 10
