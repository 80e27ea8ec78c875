"""What is remembered with a request's bytes is used only while nothing that it rests on has changed."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.auth.claims import NOBODY, Fields, Identity, IdentityUnavailable
from strangler_gateway.exchange.clocks import Clocks
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.gateway import Gateway
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.http.response_head import parse_response
from strangler_gateway.server.request_reader import RequestReader
from strangler_gateway.settings import Settings
from strangler_gateway.steps.forward import Forward
from strangler_gateway.steps.identify import Identify
from strangler_gateway.steps.match import Match
from strangler_gateway.steps.observe import Observe
from strangler_gateway.table.routes import MigrationState
from tests.support.gateway.exchanges import (
    ALICE,
    MONOLITH,
    REJECTED,
    Provider,
    asking,
    changed,
    exchange,
    gateway_for,
    route,
    step,
    table,
)


class Lasting(Provider):
    """What it says holds until the identity's end."""

    lasting = True
    by_authorization = False


def again(gateway: Gateway, x: Exchange, head: RequestHead | None = None) -> Exchange:
    """The next request of the connection, with the very same bytes unless it has a head of its own."""
    return Exchange(head or x.head, x.memory, gateway.current.table, x.peer, x.scheme, 0.0)


def test_a_new_table_is_asked_for_the_route_of_the_same_bytes() -> None:
    gateway = gateway_for(route())
    x = exchange(gateway)
    assert step(gateway, Match, x) is None
    other = replace(route(), id="other", legacy=replace(MONOLITH, port=7))
    gateway.adopt(table(other))
    following = again(gateway, x)
    assert step(gateway, Match, following) is None
    assert (following.route, following.table) == (other, gateway.current.table)


def test_the_same_bytes_are_one_match_and_another_target_is_matched_anew() -> None:
    gateway = gateway_for(route())
    x = exchange(gateway, target="/a/b?c")
    step(gateway, Match, x)
    for following, variables in (
        (again(gateway, x), (b"a/b",)),
        (again(gateway, x, RequestHead(b"/b", x.head.lines, x.head.meaning)), (b"b",)),
    ):
        assert step(gateway, Match, following) is None
        assert (following.route, following.variables) == (x.route, variables)
        step(gateway, Observe, x)
        step(gateway, Observe, following)
        assert len({x.request_id, following.request_id, b""}) == 3


@pytest.mark.parametrize("of", ["body", "path", "preflight"])
def test_what_the_route_refuses_it_refuses_again(of: str) -> None:
    one = replace(route(), max_body=3, ambiguous="reject")
    gateway = gateway_for(one)
    x = {
        "body": lambda: exchange(gateway, {"Content-Length": "4"}, method="POST"),
        "path": lambda: exchange(gateway, target="/a/../b"),
        "preflight": lambda: exchange(gateway, {"Max-Forwards": "0"}, method="OPTIONS"),
    }[of]()
    first, second = step(gateway, Match, x), step(gateway, Match, again(gateway, x))
    assert first is not None
    assert first == second


def test_a_longer_body_is_refused_behind_a_shorter_one_of_the_same_path() -> None:
    gateway = gateway_for(replace(route(), max_body=3))
    x = exchange(gateway, {"Content-Length": "3"}, method="POST")
    longer = exchange(gateway, {"Content-Length": "4"}, method="POST").head
    assert step(gateway, Match, x) is None
    assert step(gateway, Match, again(gateway, x, longer)) is not None


def test_a_lasting_provider_is_asked_once_for_the_same_fields_until_the_identity_ends() -> None:
    provider = Lasting(changed(expires_at=100.0))
    times = {"now": 0.0}
    gateway = gateway_for(route(), provider, Clocks(wall=lambda: times["now"]))
    x = exchange(gateway)
    for now, asked in ((0.0, 1), (99.9, 1), (100.0, 2), (100.1, 3)):
        times["now"] = now
        following = again(gateway, x)
        step(gateway, Identify, following)
        assert following.identity == provider.known
        assert provider.asked == asked


@pytest.mark.parametrize("said", [ALICE, changed(expires_at=100.0)])
def test_a_provider_that_does_not_last_is_asked_each_time(said: Identity) -> None:
    provider = Provider(said)
    gateway = gateway_for(route(MigrationState.EXTRACTED), provider, Clocks(wall=lambda: 0.0))
    x = exchange(gateway)
    for _ in range(3):
        step(gateway, Identify, again(gateway, x))
    assert provider.asked == 3


def test_what_one_provider_said_is_not_believed_of_the_next_one() -> None:
    first, second = Lasting(changed(expires_at=1e12)), Lasting(changed(subject="bob", expires_at=1e12))
    gateway = gateway_for(route(), first)
    x = exchange(gateway)
    step(gateway, Identify, x)
    asking(gateway, second)
    following = again(gateway, x)
    step(gateway, Identify, following)
    assert following.identity == second.known


def test_other_fields_are_not_taken_for_those_of_a_known_user() -> None:
    class ByField(Lasting):
        def identify(self, fields: Fields) -> Identity:
            return changed(subject=dict(fields)[b"X-Who"].decode(), expires_at=1e12)

    gateway = gateway_for(route(), ByField())
    for who in ("alice", "bob"):
        x = exchange(gateway, {"X-Who": who})
        step(gateway, Identify, x)
        assert x.identity is not None
        assert x.identity.subject == who


class ByAuthorization(Lasting):
    """It looks at no other field."""

    by_authorization = True


class ByToken(ByAuthorization):
    """The word behind Bearer is the user's name; `lost` is no user's."""

    def __init__(self, ends: float = 1e12) -> None:
        super().__init__()
        self.ends = ends

    def identify(self, fields: Fields) -> Identity:
        self.asked += 1
        name = next((value for name, value in fields if name.lower() == b"authorization"), b"").split()
        if len(name) != 2 or name[1] == b"lost":
            return REJECTED if name else NOBODY
        return changed(subject=name[1].decode(), expires_at=self.ends, credential=name[1])


HEADS = st.lists(
    st.lists(
        st.sampled_from(
            [
                *(b"Authorization: Bearer ann", b"Authorization: Bearer bob", b"Authorization: Bearer lost"),
                *(
                    b"authorization: Bearer ann",
                    b"Authorization:  Bearer bob ",
                    b"Authorization:",
                    b"X-A: 1",
                    b"X-A: 2",
                ),
            ]
        ),
        max_size=3,
    ),
    min_size=2,
    max_size=8,
)


ANN, BOB = b"Authorization: Bearer ann", b"Authorization: Bearer bob"


@example(heads=[[ANN], [BOB], [ANN], [ANN, BOB], [BOB, ANN]])
@given(HEADS)
def test_nobody_is_taken_for_the_user_of_an_earlier_request(heads: list[list[bytes]]) -> None:
    provider = ByToken()
    gateway = gateway_for(route(), provider)
    reader = RequestReader(Settings.model_validate({}))
    for lines in heads:
        reader.buffer = b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *lines, b"", b""])
        head = reader.take()
        assert head is not None
        x = Exchange(head, reader.memory, gateway.current.table, "192.0.2.7", b"http", 0.0)
        step(gateway, Identify, x)
        assert x.identity == provider.identify(head.fields)


def test_a_credential_that_was_verified_is_known_on_every_connection_until_it_ends() -> None:
    provider = ByToken(ends=100.0)
    times = {"now": 0.0}
    gateway = gateway_for(route(), provider, Clocks(wall=lambda: times["now"]))
    other = ByToken(ends=100.0)
    for now, sources, asked in ((0.0, [provider], 1), (99.9, [provider], 1), (99.9, [other], 2), (100.0, [other], 3)):
        times["now"] = now
        if sources == [other] and other.asked == 0:
            asking(gateway, other)
        x = exchange(gateway, {"Authorization": "Bearer ann"})
        step(gateway, Identify, x)
        assert (x.identity and x.identity.subject, x.identified_by) == ("ann", sources[0])
        assert provider.asked + other.asked == asked


@pytest.mark.parametrize("first", [IdentityUnavailable("away"), NOBODY])
def test_a_credential_is_known_for_good_only_where_all_that_were_asked_last(first: Exception | Identity) -> None:
    """A provider that was away, or whose answers do not last, may know the user the next time."""
    before, provider = ByAuthorization(first), ByToken()
    before.lasting = isinstance(first, Exception)
    gateway = gateway_for(route())
    asking(gateway, before, provider)
    for asked in (1, 2):
        step(gateway, Identify, exchange(gateway, {"Authorization": "Bearer ann"}))
        assert (before.asked, provider.asked) == (asked, asked)


@pytest.mark.parametrize("by_authorization", [True, False])
def test_a_user_by_authorization_alone_is_known_whatever_the_other_fields_say(by_authorization: bool) -> None:
    provider = Lasting(changed(expires_at=1e12))
    provider.by_authorization = by_authorization
    gateway = gateway_for(route(), provider)
    x = exchange(gateway)
    step(gateway, Identify, x)
    step(gateway, Identify, again(gateway, x, RequestHead(b"/a", x.head.lines.copy(), x.head.meaning)))
    assert provider.asked == (1 if by_authorization else 2)


def test_lines_of_a_repeated_answer_never_carry_another_users_cookie() -> None:
    gateway = gateway_for(route())
    x = exchange(gateway)
    x.service = MONOLITH
    head = parse_response(b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\n\r\n", b"GET")
    forward = next(one for one in gateway.steps if isinstance(one, Forward))
    plain = forward.client_lines(x, head)
    x.extra_fields = ((b"Set-Cookie", b"a=b"),)
    assert forward.client_lines(x, head) == plain + b"Set-Cookie: a=b\r\n"
    following = again(gateway, x)
    following.service = MONOLITH
    assert forward.client_lines(following, head) == plain


def test_a_new_table_says_anew_which_peers_are_trusted() -> None:
    gateway = gateway_for(route())
    x = exchange(gateway, {"X-Forwarded-For": "198.51.100.1"})
    for networks, client in (((), x.peer), ((ip_network("192.0.2.0/24"),), "198.51.100.1"), ((), x.peer)):
        gateway.adopt(replace(table(route()), trusted_proxies=networks))
        for _ in range(2):
            following = again(gateway, x)
            step(gateway, Observe, following)
            assert (following.client, following.trusted) == (client, bool(networks))
