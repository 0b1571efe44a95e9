"""Signals of the kubelet: SIGTERM and SIGINT ask the process to stop in good order."""

import asyncio
import signal
import threading


def stop_on_signals(stop: asyncio.Event) -> None:
    """Have SIGTERM and SIGINT set `stop`; outside of the main thread nothing can be set up."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
