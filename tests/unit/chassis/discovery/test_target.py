"""What `discover:` may say."""

import pytest

from chassis.discovery.target import DiscoveryTarget, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("consul://shop", DiscoveryTarget("consul", "shop")),
        ("consul://Shop_2?tag=v1&dc=eu-1", DiscoveryTarget("consul", "Shop_2", tag="v1", dc="eu-1")),
        ("dns://shop.internal:8102", DiscoveryTarget("dns", "shop.internal", 8102)),
        ("dns+srv://_http._tcp.shop.internal", DiscoveryTarget("dns+srv", "_http._tcp.shop.internal")),
        ("dns://s:80?server=10.0.0.1:8600", DiscoveryTarget("dns", "s", 80, server="[10.0.0.1]:8600")),
        ("dns+srv://s?server=[::1]:53", DiscoveryTarget("dns+srv", "s", server="[::1]:53")),
    ],
)
def test_a_target_is_read(text: str, target: DiscoveryTarget) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shop", "none of the sources"),
        ("http://shop:80", "none of the sources"),
        ("consul://", "name of the service"),
        ("consul://shop:80", "without a port"),
        ("consul://shop:x", "cannot be read"),
        ("consul://shop/a", "has a path"),
        ("consul://ada:secret@shop", "a user"),
        ("consul://shop?tag=a&tag=b", "each once"),
        ("consul://shop?near=x", "tag and dc"),
        ("consul://shop?tag=", "tag or dc"),
        ("dns://shop", "port is missing"),
        ("dns://shop:0", "port is missing"),
        ("dns://sh op:80", "no usable name"),
        ("dns://shop:80?tag=a", "server=ADDRESS:PORT, once"),
        ("dns://shop:80?server=a.b:53&server=c.d:53", "server=ADDRESS:PORT, once"),
        ("dns://shop:80?server=consul:8600", "not ADDRESS:PORT"),
        ("dns+srv://shop?server=10.0.0.1", "not ADDRESS:PORT"),
        ("dns+srv://_http._tcp.shop:80", "remove the port"),
    ],
)
def test_a_target_that_is_none_is_refused_with_what_is_wanted(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        parse_target(text)
    assert "secret" not in str(refused.value)
