"""What happens in the cluster, at the moments at which the API server tells of it."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.e2e.sandbox.conftest import Api

Object = dict[str, Any]


class Event(NamedTuple):
    """A change of an object, and when it was heard of (`time.monotonic`)."""

    moment: float
    what: str  # ADDED, MODIFIED or DELETED
    object: Object

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])


@dataclass
class WatchRecorder:
    """Every change of the objects of one collection, from now on."""

    api: Api
    path: str
    events: list[Event] = field(default_factory=list)
    begun_with: list[Object] = field(default_factory=list)
    _connection: http.client.HTTPSConnection | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    def __enter__(self) -> "WatchRecorder":
        result = self.api("GET", self.path)
        assert result.status == 200, result
        self.begun_with = result.body["items"]
        version = result.body["metadata"]["resourceVersion"]
        self._connection = http.client.HTTPSConnection(
            self.api.server, context=self.api.context, timeout=600
        )
        self._connection.request("GET", f"{self.path}?watch=true&resourceVersion={version}")
        answer = self._connection.getresponse()
        assert answer.status == 200, answer.read(500)
        self._thread = threading.Thread(target=self._follow, args=(answer,), daemon=True)
        self._thread.start()
        return self

    def _follow(self, answer: http.client.HTTPResponse) -> None:
        # The end of the watch is a closed socket, which is an error in many forms.
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            for line in iter(answer.readline, b""):
                moment, event = time.monotonic(), json.loads(line)
                if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
                    continue
                with self._changed:
                    self.events.append(Event(moment, event["type"], event["object"]))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __exit__(self, *_: object) -> None:
        assert self._connection is not None
        with contextlib.suppress(OSError):
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._connection.close()

    def until(self, what: str, check: Callable[[Event], bool], seconds: float) -> Event:
        """Return the first event that passes the check, at once when it is heard of."""
        deadline, looked = time.monotonic() + seconds, 0
        with self._changed:
            while True:
                for event in self.events[looked:]:
                    if check(event):
                        return event
                looked = len(self.events)
                remaining = deadline - time.monotonic()
                assert remaining > 0, f"{what}: not within {seconds:.0f} s"
                assert not self._ended, f"the watch of {self.path} has ended"
                self._changed.wait(remaining)

    def since(self, moment: float) -> Iterator[Event]:
        """Yield what was heard of after a moment."""
        return (event for event in list(self.events) if event.moment > moment)


def rewritten(watching: WatchRecorder) -> list[Event]:
    """Return the changes of what is declared: not those of a status, or of marks on an object."""
    known = {o["metadata"]["name"]: o["metadata"]["generation"] for o in watching.begun_with}
    items = []
    for event in list(watching.events):
        generation = event.object["metadata"]["generation"]
        if event.what == "MODIFIED" and generation > known.get(event.name, generation):
            items.append(event)
        known[event.name] = generation
    return items
