"""Who may disturb whom: cases of different systems at once, a fault of the nodes alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ReadWriteLock:
    """Any number of shared turns at once, or a single exclusive one; nobody waits for ever."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._shared = 0
        self._exclusive = False
        self._waiting = 0  # exclusive ones that wait: no new shared turn begins before them

    @asynccontextmanager
    async def turn(self, *, exclusive: bool) -> AsyncIterator[None]:
        """Hold a turn of that kind."""
        async with self._changed:
            if exclusive:
                self._waiting += 1
                try:
                    await self._changed.wait_for(lambda: not (self._shared or self._exclusive))
                finally:
                    self._waiting -= 1
                    self._changed.notify_all()
                self._exclusive = True
            else:
                await self._changed.wait_for(lambda: not (self._exclusive or self._waiting))
                self._shared += 1
        try:
            yield
        finally:
            # Shielded: a turn that is not given back would block every other one.
            await asyncio.shield(self._give_back(exclusive))

    async def _give_back(self, exclusive: bool) -> None:
        async with self._changed:
            if exclusive:
                self._exclusive = False
            else:
                self._shared -= 1
            self._changed.notify_all()
