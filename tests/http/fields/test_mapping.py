"""R10, R11, F13: references to inside are mapped to outside, and nothing else (RFC 9110 §10.2.2, RFC 6265 §4.1)."""

import pytest

from tests.http.client import Client
from tests.http.message import get, ok
from tests.http.origin import Script

UNTOUCHED = [
    b"/relative", b"relative", b"?q", b"#f", b"", b"../up", b"//other.example/a", b"https://other.example/a?b#c",
    b"http://shop.example/a", b"http://127.0.0.1.evil.example/a", b"http://127.0.0.1:1/a", b"mailto:a@b.example",
    b"http://evil.example/?u=http://127.0.0.1:%(port)d/", b"http://127.0.0.1:%(port)d0/",
    b"http://127.0.0.1:%(port)d.evil.example/", b"http://127.0.0.1:%(port)d@evil.example/",
    b"ftp://127.0.0.1:%(port)d/a", b"/a?next=http://127.0.0.1:%(port)d/b", b"/%%0d%%0aInjected:%%201",
    b"http://caf\xe9.example/", b"http://[::1]/", b"a:b",
]  # fmt: skip
MAPPED = [
    (b"http://127.0.0.1:%d/b?c=d#e", b"http://shop.example/b?c=d#e"),
    (b"http://127.0.0.1:%d", b"http://shop.example"),
    (b"http://127.0.0.1:%d?q", b"http://shop.example?q"),
    (b"HTTP://127.0.0.1:%d/a%%2Fb//c", b"http://shop.example/a%2Fb//c"),
]


@pytest.mark.parametrize("path", [b"/a", b"/own-host/a"])
def test_a_reference_to_the_internal_origin_becomes_public_and_no_other_R10(
    client: Client, origin: Script, path: bytes
) -> None:
    untouched = [(value % {b"port": origin.port},) * 2 for value in UNTOUCHED]
    for inside, outside in [*untouched, *((inside % origin.port, outside) for inside, outside in MAPPED)]:
        origin.answers(ok(b"Location: " + inside, b"content-location: " + inside, status=b"302 Found"))
        answer = client.ask(get(path))
        assert (answer.get(b"location"), answer.get(b"content-location")) == (outside, outside)


REFRESHES = [b"5; url=%s", b"0;url=%s", b"5; URL=%s", b'0; url="%s"', b"0, url = '%s'"]
UNMAPPED = [b"5", b"5; url=/b", b"5; url=http://other.example/", b"nonsense", b""]


@pytest.mark.parametrize("refresh", [*REFRESHES, *UNMAPPED])
def test_refresh_to_the_internal_origin_becomes_public_R10(client: Client, origin: Script, refresh: bytes) -> None:
    origin.answers(ok(b"Refresh: " + refresh.replace(b"%s", b"http://127.0.0.1:%d/b" % origin.port)))
    assert client.ask(get(b"/own-host/a")).get(b"refresh") == refresh.replace(b"%s", b"http://shop.example/b")


@pytest.mark.parametrize(
    ("asked", "inside", "outside"),
    [
        (b"/based/a", b"/base/path/based/x?y", b"http://shop.example/based/x?y"),
        (b"/shop/a/v1", b"/inside/c", b"http://shop.example/shop/c"),
    ],
    ids=["base path", "rewrite"],
)
def test_what_a_service_adds_to_a_path_is_taken_out_of_a_reference_R10(
    client: Client, origin: Script, asked: bytes, inside: bytes, outside: bytes
) -> None:
    origin.answers(ok(b"Location: http://127.0.0.1:%d" % origin.port + inside, status=b"302 Found"))
    assert (client.ask(get(asked)).get(b"location") or b"").startswith(outside)


@pytest.mark.parametrize("host", [b"shop.example:8443", b"[::1]:80", b"a"])
def test_the_public_host_is_the_one_that_was_asked_for_R10(client: Client, origin: Script, host: bytes) -> None:
    origin.answers(ok(b"Location: http://127.0.0.1:%d/b" % origin.port, status=b"302 Found"))
    raw = get(b"/own-host/a").replace(b"shop.example", host)
    assert client.ask(raw).get(b"location") == b"http://" + host + b"/b"


def test_a_rewritten_path_reaches_the_upstream_as_the_template_says_R10(client: Client, origin: Script) -> None:
    client.ask(get(b"/shop/a%2Fb/v1?q=%zz"))
    assert origin.only.target == b"/inside/a%2Fb?q=%zz"


COOKIES = [
    b"a=b", b"a=b; Path=/; HttpOnly; Secure; SameSite=None; Partitioned",
    b"a=b; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Max-Age=5", b"a=b; Domain=shop.example",
    b"a=b; domain=.shop.example; path=/x", b"a=\"Domain=127.0.0.1\"; Path=/", b"a=; Path=", b"=b", b"a",
    b"a=b;Path=/;Unknown=1;;", b"__Host-a=b; Path=/; Secure", b"a=b; Domain=127.0.0.1.evil.example",
    b"a=b%0d%0aSet-Cookie:c=d", b"a=caf\xe9", b"a=b", b"",
]  # fmt: skip


@pytest.mark.parametrize("path", [b"/a", b"/own-host/a"])
def test_cookies_of_no_internal_host_are_untouched_and_never_merged_R11(
    client: Client, origin: Script, path: bytes
) -> None:
    origin.answers(ok(*(b"Set-Cookie: " + cookie for cookie in COOKIES)))
    assert client.ask(get(path)).all(b"set-cookie") == COOKIES


@pytest.mark.parametrize(
    "attribute", [b"domain=127.0.0.1", b"DOMAIN = 127.0.0.1", b"Domain=.127.0.0.1", b"Domain=10.0.0.7"]
)
def test_the_internal_host_as_domain_of_a_cookie_is_removed_R11(
    client: Client, origin: Script, attribute: bytes
) -> None:
    origin.answers(ok(b"Set-Cookie: a=b; Path=/; " + attribute + b"; Secure", b"Set-Cookie: c=d"))
    first, second = client.ask(get(b"/own-host/a")).all(b"set-cookie")
    assert (first.replace(b" ", b""), second) == (b"a=b;Path=/;Secure", b"c=d")


def test_the_path_of_a_cookie_is_mapped_back_only_where_the_path_is_R11(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Set-Cookie: a=b; Path=/inside"))
    assert client.ask(get(b"/shop/x/v1")).get(b"set-cookie") == b"a=b; Path=/shop"
    assert client.ask(get(b"/own-host/a")).get(b"set-cookie") == b"a=b; Path=/inside"


@pytest.mark.parametrize("path", [b"/a%0d%0a", b"/shop/a%0d%0aInjected:%201/v1", b"/based/%0a", b"/refusing/%0d%0a"])
def test_encoded_line_ends_in_a_path_are_never_decoded_into_a_field_F13(
    client: Client, origin: Script, path: bytes
) -> None:
    answer = client.ask(get(path if b"Injected" in path else path + b"Injected:1"))
    assert b"\nInjected" not in answer.raw
    assert all(b"\nInjected" not in request.raw for request in origin.requests)
    assert all(b"%0" in request.target for request in origin.requests)


def test_a_bare_line_feed_in_a_location_is_never_passed_F13(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Location: /a\nInjected: 1", status=b"302 Found"), close=True)
    assert client.ask(get()).status == 502
