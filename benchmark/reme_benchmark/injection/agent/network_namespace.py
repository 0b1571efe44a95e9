"""Runs a function inside the network namespace of a pod."""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from reme_benchmark.injection.agent.errors import AgentError

_CLONE_NEWNET = 0x40000000
T = TypeVar("T")


def run_in_namespace(network: Path | None, work: Callable[[], T]) -> T:
    """Return what `work` returns inside a network namespace, or inside a new and empty one.

    `network` is a path such as `/proc/PID/ns/net`. The work runs in a thread of its own, because a
    namespace belongs to a thread.

    Raises:
        AgentError: the namespace does not exist any more, or the kernel refused something.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def enter_and_work() -> None:
        try:
            _enter(network)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
            errors.append(error)

    thread = threading.Thread(target=enter_and_work)
    thread.start()
    thread.join()
    if not errors:
        return results[0]
    if isinstance(errors[0], OSError):
        raise AgentError(f"network namespace of the pod: {errors[0]}") from errors[0]
    raise errors[0]


def _enter(network: Path | None) -> None:
    # os.setns and os.unshare exist from Python 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if network is None:
        failed = libc.unshare(_CLONE_NEWNET)
    else:
        descriptor = os.open(network, os.O_RDONLY)
        failed = libc.setns(descriptor, _CLONE_NEWNET)
        os.close(descriptor)
    if failed:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")
