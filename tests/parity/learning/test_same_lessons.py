"""Learning and the stand-in monolith over one database give the same answers to reads."""

import pytest

from tests.parity.learning.lessons import Lessons
from tests.parity.sides import ACTORS, FORM, UNKNOWN

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
    assert lessons.differ("user", f"/content?{query}") == ""


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody(lessons: Lessons, actor: str) -> None:
    ids = ("module", "inner", "content", "other")
    targets = [f"/{kind}/{lessons.names[name]}" for name in ids for kind in ("module", "content")]
    assert {target: found for target in targets if (found := lessons.differ(actor, target))} == {}
    for target in ("/module?limit=1", "/content?limit=1", f"/module/{UNKNOWN}", "/content/%zz", "/module/a%00b"):
        assert lessons.differ(actor, target) == ""


@pytest.mark.parametrize("actor", ["nobody", "expired", "guest", "user", "deleted"])
def test_who_may_not_write(lessons: Lessons, actor: str) -> None:
    writes = [("POST", ""), ("PATCH", f"/{UNKNOWN}"), ("PUT", f"/{UNKNOWN}"), ("DELETE", f"/{UNKNOWN}")]
    for method, path in writes:
        for kind in ("module", "content"):
            assert lessons.differ(actor, f"/{kind}{path}", method, {"unknown": 1}) == ""


def test_an_author_s_modules(lessons: Lessons) -> None:
    author = lessons.identities[lessons.credentials["admin"]].subject
    assert lessons.differ("user", f"/module?authorId={author}&limit=2") == ""
    assert lessons.differ("user", f"/module?authorId={author}&authorId=x&order-by=name:desc") == ""


def test_a_body_is_read_before_everything(lessons: Lessons) -> None:
    for actor in ("nobody", "user"):
        for target in ("/module", "/content", f"/content/{UNKNOWN}"):
            assert lessons.differ(actor, target, body=b"{", headers={"Content-Type": "application/json"}) == ""
            assert lessons.differ(actor, target, "PUT", b"a=1", FORM) == ""


def test_head_options_and_other_spellings(lessons: Lessons) -> None:
    assert lessons.differ("user", "/MODULE/?limit=1", "HEAD") == ""
    assert lessons.differ("user", f"/Content/{lessons.names['content'].upper()}/", "HEAD") == ""
    assert lessons.differ("nobody", "/module", "OPTIONS") == ""
    assert lessons.differ("user", "/module", "PUT") == ""
    assert lessons.differ("user", f"/content/{UNKNOWN}", "PATCH") == ""
