"""Holds every packet of one queue for a fixed time, then sends it: for kernels without netem.

`python -m ...delay MARK SECONDS QUEUE MILLISECONDS FILE...`, in the pod's network namespace; the
files are those of the groups to join, where that is allowed. Each packet is copied, dropped, and
sent again by a raw socket with a mark that the rule leaves alone. Held in the kernel instead it
would still count to its socket, and TCP would send two kilobytes a second.

SIGTERM sends what is held and ends. When this process is killed, what it held is lost, and what
comes later passes without delay (the rule says --queue-bypass).
"""

import gc
import select
import signal
import socket
import sys
import time
from collections import deque

from reme_benchmark.injection.agent.cgroup_join import join
from reme_benchmark.injection.agent.nfqueue import Queue

SENT_AGAIN = 0x7E3E
"""The mark of packets that were held already."""
_SO_MARK, _SO_SNDBUFFORCE = 36, 32
_SEND_BYTES = 8 * 1024 * 1024
_MOST_HELD_BYTES = 64 * 1024 * 1024
"""Beyond it packets pass at once: 64 MiB are a second at half a gigabit."""


class Delayer:
    """What is held, oldest first: a constant delay keeps the order."""

    def __init__(self, queue: Queue, seconds: float) -> None:
        self._queue = queue
        self._seconds = seconds
        self._held: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._raw.setsockopt(socket.SOL_SOCKET, _SO_MARK, SENT_AGAIN)
        self._raw.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BYTES)

    def serve(self, stopped: socket.socket, until: float) -> None:
        """Hold and send until told to stop, or until that time of the monotonic clock."""
        poll = select.poll()
        poll.register(self._queue.socket, select.POLLIN)
        poll.register(stopped, select.POLLIN)
        while (now := time.monotonic()) < until:
            wait = min(until - now, max(0.0, self._held[0][0] - now) if self._held else 1.0)
            # poll counts whole milliseconds: the last part is waited for by sleeping.
            ready = dict(poll.poll(int(wait * 1000)))
            if stopped.fileno() in ready:
                break
            if self._queue.socket.fileno() in ready:
                self._take()
            elif wait < 0.001:
                time.sleep(wait)
            self.send(time.monotonic())
        self.send(float("inf"))

    def _take(self) -> None:
        due = time.monotonic() + self._seconds
        for packet in self._queue.packets():
            if self._bytes > _MOST_HELD_BYTES or packet.payload[:1] < b"\x40":
                self._queue.accept(packet.id)
                continue
            self._held.append((due, packet.payload))
            self._bytes += len(packet.payload)
            self._queue.drop(packet.id)

    def send(self, now: float) -> None:
        """Send what is due."""
        while self._held and self._held[0][0] <= now:
            _, payload = self._held.popleft()
            self._bytes -= len(payload)
            try:
                self._raw.sendto(payload, (socket.inet_ntoa(payload[16:20]), 0))
            except OSError:
                continue  # no route any more, or a full buffer: lost, as on a wire


def main() -> None:
    """Serve one queue for a time."""
    _mark, seconds, number, milliseconds, *groups = sys.argv[1:]
    join(groups, must=False)
    told, stopped = socket.socketpair()
    told.setblocking(False)
    # Written to by the signal itself: a handler may have to wait until the next poll is over.
    signal.set_wakeup_fd(told.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    delayer = Delayer(Queue.bind(int(number)), float(milliseconds) / 1000)
    gc.freeze()
    print("ready", flush=True)
    delayer.serve(stopped, time.monotonic() + float(seconds))


if __name__ == "__main__":
    main()
