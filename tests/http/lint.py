"""What holds for every message that leaves the gateway, whatever the test is about."""

import re

from tests.http.message import Head

HOP_BY_HOP = (
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"http2-settings",
)
OURS = (b"strangler-override", b"strangler-debug")
TRUSTED_ONCE = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ (/[!-~\x80-\xff]*|\*) HTTP/1\.1")
_VIA = re.compile(rb"(.*,\s*)?(HTTP/)?1\.[01] [!-~]+")


def require(holds: object, what: str, head: Head) -> None:
    """Raises AssertionError with the whole head."""
    if not holds:
        raise AssertionError(f"{what}: {head.raw!r}")


def request(head: Head) -> None:
    """A request as an upstream may see it."""
    require(_REQUEST_LINE.fullmatch(head.start), "request line (RFC 9112 §3)", head)
    require(len(head.all(b"host")) == 1, "exactly one Host (RFC 9112 §3.2)", head)
    require(_VIA.fullmatch(head.joined(b"via")), "own Via at the end (RFC 9110 §7.6.3)", head)
    for name in TRUSTED_ONCE:
        require(len(head.all(name)) <= 1, f"at most one {name.decode()} line (gateway.md H7)", head)
    for name in OURS:
        require(not head.all(name), f"{name.decode()} is for the gateway alone", head)
    _no_spelling_of_trust(head)
    _framing(head)
    _hop_by_hop(head)


def response(head: Head, status: int, version: bytes) -> None:
    """A response as a client may see it."""
    interim = status < 200
    require(not (interim and version == b"1.0"), "no 1xx to HTTP/1.0 (RFC 9110 §15.2)", head)
    dates = len(head.all(b"date"))
    require(dates == 1 or (interim and dates == 0), "exactly one Date (RFC 9110 §6.6.1)", head)
    require(len(head.all(b"server")) <= 1, "at most one Server", head)
    if interim or status == 204:
        framing = head.all(b"content-length") + head.all(b"transfer-encoding")
        require(not framing, "no framing fields in 1xx and 204 (RFC 9110 §8.6, 9112 §6.1)", head)
    if version == b"1.0":
        require(not head.all(b"transfer-encoding"), "no Transfer-Encoding to HTTP/1.0 (RFC 9112 §6.1)", head)
    _framing(head)
    _hop_by_hop(head)


def _no_spelling_of_trust(head: Head) -> None:
    for name, _ in head.fields:
        odd = b"_" in name and name.lower().replace(b"_", b"-") in (*TRUSTED_ONCE, *OURS, b"x-real-ip")
        require(not odd, f"{name.decode('latin-1')} is another spelling of a trusted field (gateway.md H7)", head)


def _framing(head: Head) -> None:
    lengths, codings = head.all(b"content-length"), head.all(b"transfer-encoding")
    require(len(lengths) <= 1 and all(map(bytes.isdigit, lengths)), "one plain Content-Length (RFC 9110 §8.6)", head)
    require(codings in ([], [b"chunked"]), "Transfer-Encoding is chunked alone (RFC 9112 §6.1)", head)
    require(not (lengths and codings), "never Content-Length and Transfer-Encoding (RFC 9112 §6.2)", head)


def _hop_by_hop(head: Head) -> None:
    for name in HOP_BY_HOP:
        require(not head.all(name), f"{name.decode()} stays on its hop (RFC 9110 §7.6.1)", head)
    options = head.options()
    require(options <= {b"close", b"keep-alive", b"upgrade", b"te"}, "the gateway's own Connection options alone", head)
    require(not head.all(b"upgrade") or b"upgrade" in options, "Upgrade is named in Connection (RFC 9110 §7.8)", head)
    te = head.all(b"te")
    require(
        not te or (te == [b"trailers"] and b"te" in options), "TE only as the gateway's own (RFC 9110 §10.1.4)", head
    )
