"""Learning and the stand-in monolith over one database give the same answers to reads."""

import pytest

from tests.parity.lessons import Lessons
from tests.parity.sides import ACTORS, FORM

QUERIES = [
    "", "limit=2", "limit=2&page=2", "limit=101", "page=-1", "page=9007199254740993", "page=922337203685477581",
    "order-by=name", "order-by=name:desc", "order-by=reward:asc,name:desc", "order-by=reward:x", "order-by=Name:x",
    "order-by[]=name", "order-by=name:null", "name=", "name=Inner", "name=inner", "name=^.u", "name=%5B", "name=(",
    "name=a%2Bb", "name=a%5C%2Bb", "name=%C3%89", "name[]=x", "name=a&name=b", "name[$ne]=x", "name=.&limit=1",
    "name=(%3Fi)inner", "name=%00", "authorId=x", "authorId=", "authorId=x&authorId=y", "authorId[a]=x",
    "tags=[java]", "tags=[java,python]", "tags=[python]&name=O", "tags=[]", "tags=", "tags=x", "tags=java",
    "tags[]=java", "tags=[java]&tags=[python]", "tags=[java,%20python]", "order-by=reward:x&tags[]=a&name=(",
    "tags[]=a&name=(", "name[]=x&page=922337203685477581", "offset=1&sort=date&states=[done]",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_lists(lessons: Lessons, query: str) -> None:
    assert lessons.differ("user", f"/module?{query}") == ""


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody(lessons: Lessons, actor: str) -> None:
    assert lessons.differ(actor, "/module?limit=1") == ""


def test_an_author_s_modules(lessons: Lessons) -> None:
    (author,) = {i.subject for c, i in lessons.identities.items() if c == lessons.credentials["admin"]}
    assert lessons.differ("user", f"/module?authorId={author}&limit=2") == ""
    assert lessons.differ("user", f"/module?authorId={author}&authorId=x&order-by=name:desc") == ""


def test_a_body_is_read_before_everything(lessons: Lessons) -> None:
    for actor in ("nobody", "user"):
        assert lessons.differ(actor, "/module", body=b"{", headers={"Content-Type": "application/json"}) == ""
        assert lessons.differ(actor, "/module", body=b"a=1", headers=FORM) == ""


def test_head_options_and_other_spellings(lessons: Lessons) -> None:
    assert lessons.differ("user", "/MODULE/?limit=1", "HEAD") == ""
    assert lessons.differ("nobody", "/module", "OPTIONS") == ""
    assert lessons.differ("user", "/module", "PUT") == ""
