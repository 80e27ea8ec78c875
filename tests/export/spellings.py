"""Requests in every spelling that routers read differently."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Spelled:
    """A request; `asks_for`: the method of a preflight. `sort`: what is unusual, where proxies may refuse it."""

    method: str
    target: str
    asks_for: str | None = None
    sort: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return (f"Access-Control-Request-Method: {self.asks_for}",) if self.asks_for else ()

    @property
    def routed_method(self) -> str:
        return self.asks_for or self.method


def spelled(path: str, methods: frozenset[bytes] | None) -> Iterator[Spelled]:
    """Of one route."""
    plain = _filled(path, "5f0c-A1")
    for method in sorted(method.decode() for method in methods or {b"GET", b"POST"}):
        for target in (*_usual(plain), *(_filled(path, value) for value in ("a%2Fb%20c", "a.b~!$&'()*+,;=:@", "1"))):
            yield Spelled(method, target)
        for sort, target in _unusual(plain):
            yield Spelled(method, target, sort=sort)
    for method in METHODS:
        yield Spelled(method, plain)
        yield Spelled("OPTIONS", plain, method)
    yield Spelled("OPTIONS", plain, "UNHEARD-OF")
    yield Spelled("PROPFIND", plain)
    for method in ("UNHEARD-OF", "get", "TRACE"):
        yield Spelled(method, plain, sort=f"method {method}")


def _filled(path: str, value: str) -> str:
    return re.sub(r"\{\w+\}", lambda _: value, re.sub(r"\{\w+\.\.\.\}", "x/y", path))


def _usual(plain: str) -> tuple[str, ...]:
    inner = plain[0] + plain[1:].replace("/", "//", 1)
    encoded = f"{plain[0]}%{ord(plain[1]):02x}{plain[2:]}" if len(plain) > 1 else plain
    upper = encoded.replace("%", "%").upper()
    return (
        *(
            plain,
            plain.rstrip("/") + "/",
            plain + "//",
            plain.upper(),
            plain.title(),
            "/" + plain,
            inner,
            encoded,
            upper,
        ),
        *(plain + "%2F", plain + "/.", plain + "/../x", plain + "?x=1&y=/item/%2F", plain + "?", plain + "?a?b"),
        *(plain + "/more", plain + ";v=1", plain.rpartition("/")[0] or "/", plain + "\\x", plain + '/{x}|"<>^`'),
        f"http://public.example{plain}",
    )


def _unusual(plain: str) -> tuple[tuple[str, str], ...]:
    return (
        ("above root", f"/..{plain}"),
        ("%00", f"{plain}%00"),
        ("% alone", f"{plain}%zz"),
        ("raw bytes", f"{plain}\xe9"),
        ("raw bytes", f"{plain.replace('s', chr(0xC5) + chr(0xBF))}\xc3\xa9"),
    )
