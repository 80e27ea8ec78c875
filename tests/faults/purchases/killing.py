"""A service dies at a named point while somebody buys, and is started again."""

import signal

from tests.support.system.crowd import Order, Wish
from tests.support.system.processes import Process
from tests.support.system.scene import Scene

TRIES = 12
"""Times that a buyer asks with the same key: longer than a start takes."""


def killed_at(scene: Scene, service: str, failpoint: str, *wishes: Wish) -> list[Order]:
    """What the buyers were told in the end."""
    process: Process = getattr(scene.system, service)
    process.arm(f"{failpoint}=kill")
    with scene.asking(*wishes, tries=TRIES) as asked:
        assert process.wait() == -signal.SIGKILL
        process.start()
    return asked.result()
