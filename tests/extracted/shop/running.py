"""The shop as a process."""

from contextlib import AbstractContextManager

from tests.extracted.running import ROOT, START_TIMEOUT_S, Answer, Gateway, RunningService, ask, running_service, stop

__all__ = ["ROOT", "START_TIMEOUT_S", "Answer", "Gateway", "RunningShop", "ask", "running_shop", "stop"]

RunningShop = RunningService


def running_shop(database_url: str, gateway: Gateway, **variables: str) -> AbstractContextManager[RunningShop]:
    """`variables` are further SHOP_… settings, by their names without the prefix."""
    return running_service("shop", database_url, gateway, **variables)
