"""Addresses: one form for each mailbox, and nothing that could end a command or a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extracted.mailer.addresses import MAX_OCTETS, canonical
from extracted.mailer.ports import RequestInvalid

ATOM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def dotted(part: st.SearchStrategy[str], least: int) -> st.SearchStrategy[str]:
    return st.lists(part, min_size=least, max_size=4).map(".".join)


LOCAL_PARTS = dotted(st.text(ATOM, min_size=1, max_size=12), least=1)
DOMAINS = dotted(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True), least=2)
ADDRESSES = st.builds("{}@{}".format, LOCAL_PARTS, DOMAINS)
QUOTED = st.builds('"{}"@{}'.format, st.text(LETTERS + " ,;:@<>()[].", max_size=30), DOMAINS)


@pytest.mark.parametrize(
    ("given_as", "kept_as"),
    [
         ("ada@example.org", "ada@example.org"), ("Ada.Lovelace+poly@Example.ORG", "Ada.Lovelace+poly@example.org"),
         ("o'neil!#$%&*/=?^_`{|}~-@example.org", "o'neil!#$%&*/=?^_`{|}~-@example.org"),
         ("ada@localhost", "ada@localhost"), ("ada@r3---x.example.org", "ada@r3---x.example.org"),
         ('"ada"@example.org', "ada@example.org"), ('"\\a\\d\\a"@example.org', "ada@example.org"),
         ('"ada lovelace"@example.org', '"ada lovelace"@example.org'), ('"a,b"@example.org', '"a,b"@example.org'),
         ('"a@b"@example.org', '"a@b"@example.org'),
         ('"say \\"hi\\\\\\""@example.org', '"say \\"hi\\\\\\""@example.org'), ('""@example.org', '""@example.org'),
         ("ada@bücher.example", "ada@xn--bcher-kva.example"), ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
         ("ada@faß.example", "ada@xn--fa-hia.example"), ("ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"),
         ("ada@☃.example", "ada@xn--n3h.example"), ("jörg@example.org", "jörg@example.org"),
         ("用户@example.org", "用户@example.org"), ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
         ("a" * 64 + "@" + ".".join(["b" * 37] * 5), "a" * 64 + "@" + ".".join(["b" * 37] * 5)),
    ],
)  # fmt: skip
def test_an_address_has_one_form(given_as: str, kept_as: str) -> None:
    assert canonical(given_as) == kept_as


@pytest.mark.parametrize(
    ("address", "said"),
    [
         ("", "empty"), ("ada", "no @"), ("@example.org", "before the @"), ("ada@", "no domain name"),
         ("a b@example.org", "before the @"), (" ada@example.org", "before the @"),
         ("ada@example.org ", "no domain name"), ("a,b@example.org", "before the @"),
         ("ada@example.org,eve@example.org", "before the @"), ("ada@example.org, eve@example.org", "before the @"),
         (", ".join(["ada@example.org"] * 1000), "too long"), ("Ada <ada@example.org>", "before the @"),
         ("<ada@example.org>", "before the @"), (".ada@example.org", "before the @"),
         ("a..b@example.org", "before the @"), ('"ada@example.org', "before the @"),
         ('"a"b"@example.org', "before the @"), ('"ada\\"@example.org', "before the @"),
         ("ada@example..org", "no domain name"), ("ada@example.org.", "no domain name"),
         ("ada@-example.org", "no domain name"), ("ada@exa_mple.org", "no domain name"),
         ("ada@" + "b" * 64 + ".org", "no domain name"), ("ada@bü_cher.example", "domain names cannot have"),
         ("ada@[192.0.2.1]", "IP address"), ("ada@[IPv6:::1]", "IP address"),
         ("ada@example.org\r\nBcc: eve@example.org", "line break"), ("ada\n@example.org", "line break"),
         ("ada@example.org\n", "line break"), ('"a\rb"@example.org', "line break"), ("ada\x00@example.org", "control"),
         ("ada\x7f@example.org", "control"), ("ada\x85@example.org", "control"),
         ("ada\u2028@example.org", "line break"), ("ada\u200b@example.org", "invisible"),
         ("ada\ud800@example.org", "invisible"), ("a" * 65 + "@example.org", "64 octets"),
         ("é" * 33 + "@example.org", "64 octets"), ("a" * 64 + "@" + ".".join(["b" * 47] * 4), "254 octets"),
         ("a@" + ".".join(["ü" * 20] * 10), "254 octets"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_sentence(address: str, said: str) -> None:
    with pytest.raises(RequestInvalid, match=said) as refused:
        canonical(address)
    assert "example" not in str(refused.value)


@given(ADDRESSES | QUOTED)
def test_a_form_is_its_own_form(address: str) -> None:
    once = canonical(address)
    assert canonical(once) == once


@given(st.text() | st.text('a@."\\ \r\n,<>[]é\x00') | ADDRESSES | QUOTED)
def test_any_text_is_an_address_for_one_command_or_refused(text: str) -> None:
    try:
        address = canonical(text)
    except RequestInvalid:
        return
    assert address.isprintable()
    assert len(address.encode()) <= MAX_OCTETS
    assert address.rpartition("@")[2].isascii()
    if not address.startswith('"'):
        assert not set(address) & set(' ,;:<>()[]"\\')
        assert address.count("@") == 1
