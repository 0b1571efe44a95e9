"""Looks at something again and again beside a test, until the test has seen enough."""

import http.client
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Generic, Self, TypeVar

S = TypeVar("S")
PASSING = (OSError, http.client.HTTPException)
"""What a busy API server may do to a look: then it is the next look that tells."""


class Poller(ABC, Generic[S]):
    """Looks in a thread of its own while it is entered.

    An error that ends the looks is raised at the end: no more samples would seem to be quiet.
    """

    between_seconds: ClassVar[float]

    @abstractmethod
    def look(self) -> Iterable[S]:
        """Return what one look shows."""

    def __enter__(self) -> Self:
        self.samples: list[S] = []
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._looks = self._pool.submit(self._look_on)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end.set()
        self._pool.shutdown()
        if kind is None:
            self._looks.result()

    def _look_on(self) -> None:
        while not self._end.wait(self.between_seconds):
            for sample in self.look():
                self.samples.append(sample)
