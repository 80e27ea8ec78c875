"""Who has failed on a route since the score of rule 2 was last 0: each user counts until the first failure, bounded."""

from collections.abc import Iterable
from typing import Any, Final

MOST: Final = 1_024
"""So many users are told apart; of more, every failure counts. So many in a row are no bot."""


class FirstFailures:
    """Of one route and side. A user is a hash of 32 bits."""

    __slots__ = ("again", "beyond", "untold", "users")

    def __init__(self) -> None:
        self.users: set[int] = set()
        """Who has failed; their later requests count no more."""
        self.untold: list[int] = []
        """Those of them of whom nobody has been told."""
        self.beyond = 0
        """Failures since the step began of users for whom there was no room."""
        self.again = 0
        """Requests since the step began of users who count again, after an earlier failure in this step."""

    def fail(self, user: int) -> None:
        """A user who counts has failed."""
        if len(self.users) < MOST:
            self.users.add(user)
            self.untold.append(user)
        else:
            self.beyond += 1

    def repeat(self, user: int, bad: bool) -> None:
        """A request of a user who has failed in this step before."""
        if user not in self.users:
            self.again += 1
            if bad:
                self.fail(user)

    def join(self, users: Iterable[int]) -> None:
        """Failures that another process has counted; it counted its requests of users who had failed here, too."""
        for user in users:
            if user in self.users:
                self.again -= 1
            else:
                self.fail(user)

    def tell(self) -> list[int]:
        """Who has failed since the last question."""
        told, self.untold = self.untold, []
        return told

    def all_told(self) -> list[int]:
        """Everybody who has failed; they have been told from now on."""
        self.untold = []
        return list(self.users)

    def forget(self, *, everybody: bool = False) -> None:
        """The score is back at 0: who was told counts again. `everybody`: the others, too, since the judge is new."""
        if everybody:
            self.untold = []
        self.users = set(self.untold)

    def drain(self) -> list[Any]:
        """What was counted since the last call, for another process: JSON-able."""
        told = [self.again, self.beyond, self.tell()]
        self.again = self.beyond = 0
        return told

    def add(self, drained: Any) -> None:
        """Adds what another process has drained. Raises TypeError, ValueError."""
        again, beyond, users = drained
        self.again += int(again)
        self.beyond += int(beyond)
        self.join(map(int, users))
