"""Account's rule for e-mail addresses and the stand-in's are both that of class-validator 0.13.2 on Node 16."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples.monolith.validation.email_addresses import is_email
from extracted.account.users.api.email_syntax import is_address

TAKEN = [
    "a@b.co", "A@B.CO", "a.b+c@b.co", "o'hara@b.co", "a`{|}~!#$%&*/=?^_-@b.co", "a@1.co", "a@a-b.c-d.co", "a@b.museum",
    "é@example.org", "\xa0a@b.co", "a\u200bb@b.co", "a@exämple.org", "a@例え.テスト", "a@😀.co", "a@b.éé", "a@b.co。jp",
    "a@example.xn--p1ai", "a@b.xn-a", "a@b.xn", '"a b"@example.org', '"a@b"@example.org', '""@b.co', '"\\"a"@b.co',
    '"a@b.co', '"@b.co', "a" * 64 + "@b.co", "é" * 32 + "@b.co", "a@" + "b" * 63 + ".co", "a@b." + "c" * 63,
    "a" * 64 + "@" + "b." * 125 + "com",
]  # fmt: skip
REFUSED = [
    "", "a", "@", "a@", "@b.co", "a@b", "a@localhost", "a@b.c", "a@b.123", "a@127.0.0.1", "a@[127.0.0.1]",
    "a@example.c1", "a@b.com2", "a@b.1a", "a@b.c-o", "a@b.co-", "a@b.-co", "a@b-.co", "a@-b.co", "a@b_c.co", "a@b.co_",
    "a@b.co.", "a@.b.co", "a@b..co", ".a@b.co", "a.@b.co", "a..b@b.co", "a b@b.co", "a@b .co", " a@b.co", "a@b.co ",
    "a@b@c.co", "a(b)@b.co", "a,b@b.co", "a\\b@b.co", 'a"b@b.co', '"a"b@b.co', '"a\\"@b.co', "<a@b.co>", "N <a@b.co>",
    "😀@b.co", '"😀"@b.co', "\ue000@b.co", "a@b.é", "a@b.c©", "a@ｂ.co", "a@b.ｃｏ", "a@b.😀😀", "a@b.a\u3000b",
    "a@b.xn--",
    "a" * 65 + "@b.co", "é" * 33 + "@b.co", "a@" + "b" * 64 + ".co", "a@b." + "c" * 64, "a@" + "b." * 126 + "com",
    "a@b.co\n", "\na@b.co", "a\0@b.co", "a@b.co\r\nBcc: c@b.co",
]  # fmt: skip
HEADERS = [
    '"a\rb"@b.co', '"a\nb"@b.co', '"a\0b"@b.co', '"a\tb"@b.co', '"a\\\nb"@b.co', '"a\n@b.co', "a\u2028@b.co",
    "a@b\u2029.co",
]  # fmt: skip
"""class-validator takes these or similar ones; our rules allow no line end and no control character."""


@pytest.mark.parametrize("address", TAKEN)
def test_an_address_that_is_taken(address: str) -> None:
    assert (is_email(address), is_address(address)) == (True, True)


@pytest.mark.parametrize("address", [*REFUSED, *HEADERS, None, 5, ["a@b.co"], {}])
def test_an_address_that_is_refused(address: object) -> None:
    assert (is_email(address), is_address(address)) == (False, False)


SIGNS = st.sampled_from(
    [*'ab1.@-_"\\ <>()é©😀ｂ', "\xa0", "\u2028", "\u3000", "\ue000", "\0", "\n", "\x7f", "xn--", "ſ", "K"]
)
TEXTS = st.text(max_size=8) | st.lists(SIGNS, max_size=8).map("".join)


@given(
    st.builds("{}{}".format, TEXTS, st.sampled_from(["", "@b.co", "@ab.org"]))
    | st.builds("{}@{}.{}".format, TEXTS, TEXTS, TEXTS)
)
@example('"a\\é@b.co')
def test_both_rules_are_one_and_let_no_control_pass(address: str) -> None:
    assert is_email(address) == is_address(address)
    if is_address(address):
        assert not {unicodedata.category(sign) for sign in address} & {"Cc", "Cs", "Zl", "Zp"}
