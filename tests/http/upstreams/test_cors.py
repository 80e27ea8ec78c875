"""Whether a page of another origin can read an answer (Fetch §3.2): the gateway's own with `cors: reflect`."""

from pathlib import Path

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.message import get, ok
from tests.http.origin import Script

ORIGIN = b"Origin: https://app.example"
ALLOWED, EXPOSED = b"access-control-allow-origin", b"access-control-expose-headers"


@pytest.fixture
def page(share: Start) -> Client:
    return share("cors", routes=Path(__file__).with_name("routes_cors.yaml")).connect()


def test_an_answer_of_the_gateway_names_the_origin_that_asked(page: Client) -> None:
    answer = page.ask(get(b"/refusing/a", ORIGIN))
    assert (answer.status, answer.get(ALLOWED), answer.get(b"vary")) == (502, b"https://app.example", b"Origin")
    assert answer.get(EXPOSED) is None


@pytest.mark.parametrize("lines", [(), (ORIGIN, b"Origin: https://other.example")], ids=["none", "two"])
def test_without_one_origin_it_names_nobody(page: Client, lines: tuple[bytes, ...]) -> None:
    answer = page.ask(get(b"/refusing/a", *lines))
    assert (answer.status, answer.get(ALLOWED), answer.get(b"vary")) == (502, None, b"Origin")


def test_a_page_can_read_when_to_come_again(page: Client, origin: Script) -> None:
    origin.answers(ok())
    page.ask(get(b"/limited/a"))
    answer = page.ask(get(b"/limited/a", ORIGIN))
    assert (answer.status, answer.get(ALLOWED), answer.get(EXPOSED)) == (429, b"https://app.example", b"Retry-After")
    assert answer.get(b"retry-after") is not None


def test_what_never_became_a_request_may_be_read_by_all(page: Client) -> None:
    answer = page.ask(get(b"/a", b"X-Long: " + b"x" * 70_000, ORIGIN))
    assert (answer.status, answer.get(ALLOWED)) == (431, b"*")


def test_the_answer_of_a_service_stays_as_it_is(page: Client, origin: Script) -> None:
    origin.answers(ok(b"Vary: Accept"))
    answer = page.ask(get(b"/a", ORIGIN))
    assert (answer.get(ALLOWED), answer.get(b"vary")) == (None, b"Accept")


def test_without_the_setting_the_gateway_names_nobody(client: Client) -> None:
    answer = client.ask(get(b"/refusing/a", ORIGIN))
    assert (answer.status, answer.get(ALLOWED), answer.get(b"vary")) == (502, None, None)
