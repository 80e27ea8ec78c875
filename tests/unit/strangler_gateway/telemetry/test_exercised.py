"""What legacy was asked for and the new side was not, within some days; bounded."""

import json

import pytest

from strangler_gateway.telemetry.exercised import MOST, Exercised, missing

TODAY = 20_000


def side(*seen: tuple[bytes, int, tuple[str, ...], int]) -> Exercised:
    one = Exercised()
    for method, status, roles, day in seen:
        one.saw(method, status, roles, day)
    return one


LEGACY = side(
    (b"GET", 200, ("user", "admin"), TODAY - 3),
    (b"GET", 404, (), TODAY),
    (b"DELETE", 204, ("admin",), TODAY - 1),
    (b"PUT", 500, ("guest",), TODAY - 8),
)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ((), [("", "", TODAY)]),
        (((b"GET", 200, ("user",), TODAY),), ["method DELETE -1", "status 4xx 0", "role admin -1"]),
        (((b"DELETE", 404, ("admin", "user"), TODAY),), ["method GET 0", "status 2xx -1"]),
        (((b"GET", 201, ("user", "admin"), TODAY), (b"DELETE", 400, (), TODAY)), []),
        (((b"GET", 200, (), TODAY - 8),), [("", "", TODAY)]),
    ],
)
def test_it_is_named_with_legacys_last_day(
    new: tuple[tuple[bytes, int, tuple[str, ...], int], ...], expected: list[object]
) -> None:
    found = missing(LEGACY, side(*new), TODAY - 7)
    assert [one if not one[0] else f"{one[0]} {one[1]} {one[2] - TODAY}" for one in found] == expected


def test_what_legacy_was_not_asked_for_lately_is_not_missed() -> None:
    assert missing(side((b"PUT", 200, ("x",), TODAY - 8)), Exercised(), TODAY - 7) == []


def test_invented_methods_are_bounded_and_everything_outlives_a_restart() -> None:
    one = side(*((b"M%d" % n, 200, (f"r{n}",), TODAY) for n in range(5 * MOST)))
    assert len(one.known) <= 256
    one.saw(b"M0", 200, ("r0",), TODAY + 1)
    again = Exercised()
    for _ in range(2):
        again.add(json.loads(json.dumps(one.snapshot())))
    assert (again.answers, again.roles) == (one.answers, one.roles)
    assert (len(one.answers), one.answers[b"M0", 2], one.roles["r0",]) == (MOST, TODAY + 1, TODAY + 1)
