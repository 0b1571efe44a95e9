"""Delays every packet of one queue by a fixed time, for kernels without netem.

`python -m ...packet_delay TAG SECONDS QUEUE MILLISECONDS FILE...` runs in the pod's network
namespace; the files are the `cgroup.procs` of the groups to join, where that is allowed. Each
packet is copied, dropped, and sent again by a raw socket with a packet mark that the rule ignores.
A packet held in the kernel would count against its socket's buffer, and TCP would send two
kilobytes a second.

SIGTERM sends the held packets and ends the process. When the process is killed, the held packets
are lost and later ones pass undelayed, because the rule has the bypass flag.
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

RESENT_MARK = 0x7E3E
"""The packet mark of packets that were delayed already."""
_SO_MARK, _SO_SNDBUFFORCE = 36, 32
_SEND_BYTES = 8 * 1024 * 1024
_MOST_HELD_BYTES = 64 * 1024 * 1024
"""Beyond it packets pass undelayed: 64 MiB are one second at half a gigabit."""


class Delayer:
    """The held packets, oldest first; a constant delay keeps their order."""

    def __init__(self, queue: Queue, seconds: float) -> None:
        self._queue = queue
        self._seconds = seconds
        self._held: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._raw.setsockopt(socket.SOL_SOCKET, _SO_MARK, RESENT_MARK)
        self._raw.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BYTES)

    def serve(self, stopped: socket.socket, until: float) -> None:
        """Delay packets until `stopped` is readable, or until that time of the monotonic clock."""
        poll = select.poll()
        poll.register(self._queue.socket, select.POLLIN)
        poll.register(stopped, select.POLLIN)
        while (now := time.monotonic()) < until:
            wait = min(until - now, max(0.0, self._held[0][0] - now) if self._held else 1.0)
            # poll() takes whole milliseconds; the rest is slept below.
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
        """Send the packets that are due."""
        while self._held and self._held[0][0] <= now:
            _, payload = self._held.popleft()
            self._bytes -= len(payload)
            try:
                self._raw.sendto(payload, (socket.inet_ntoa(payload[16:20]), 0))
            except OSError:
                continue  # no route, or a full buffer: the packet is lost, as on a wire


def main() -> None:
    """Delay the packets of one queue for some time."""
    _tag, seconds, number, milliseconds, *groups = sys.argv[1:]
    join(groups, must=False)
    wakeup, stopped = socket.socketpair()
    wakeup.setblocking(False)
    # The signal itself writes to this socket; a handler would run only after the current poll.
    signal.set_wakeup_fd(wakeup.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    delayer = Delayer(Queue.bind(int(number)), float(milliseconds) / 1000)
    gc.freeze()
    print("ready", flush=True)
    delayer.serve(stopped, time.monotonic() + float(seconds))


if __name__ == "__main__":
    main()
