"""Header fields that no client may get past a proxy, because services believe them."""

from strangler_gateway.http.fields import IDENTITY_NAMES

OWN_PREFIX = "x-strangler-"
OWN_NAMES = ("strangler-override", "strangler-debug", "strangler-shadow", "strangler-timeout-ms")
IDENTITY = tuple(name.decode() for name in IDENTITY_NAMES)
