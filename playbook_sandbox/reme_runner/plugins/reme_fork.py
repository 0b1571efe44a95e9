"""An Ansible connection that runs modules in forks of the warm interpreter beside the run."""

import os
import socket
import struct

from ansible.errors import AnsibleConnectionFailure  # type: ignore[import-untyped]
from ansible.plugins.connection.local import (  # type: ignore[import-untyped]
    Connection as LocalConnection,
)

DOCUMENTATION = """
name: reme_warm
short_description: runs modules in forks of an interpreter that has their libraries loaded
description:
  - Like C(local), but a module that comes through a pipe is executed by the process that listens
    at the socket named by the environment variable E(REME_WARM_SOCKET).
  - Commands without a program on their standard input are run as C(local) runs them, and so is
    everything while nobody listens.
author: reme
version_added: "1.0.0"
extends_documentation_fragment:
  - connection_pipelining
options: {}
"""


class Connection(LocalConnection):  # type: ignore[misc]
    """Runs modules here, but not in a fresh interpreter each."""

    transport = "local"

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Execute a module in a fork of the warm interpreter, anything else as before."""
        answer = _ask(in_data) if in_data else None
        if answer is None:
            answer = super().exec_command(cmd, in_data, sudoable)
        return answer


def _connect() -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ.get("REME_WARM_SOCKET", ""))
    except OSError:
        connection.close()
        return None
    return connection


def _ask(program: bytes) -> tuple[int, bytes, bytes] | None:
    """Return the program's answer; None when it was certainly not started.

    Once it was started it must not be started again: a lost answer is a failure of the task.
    """
    warm = _connect()
    if warm is None:
        return None
    with warm:
        return _exchange(warm, program)


def _exchange(warm: socket.socket, program: bytes) -> tuple[int, bytes, bytes] | None:
    try:
        warm.sendall(struct.pack(">I", len(program)) + program)
        if not warm.recv(1):
            return None
    except OSError:
        return None
    received = bytearray()
    try:
        while part := warm.recv(65536):
            received += part
    except OSError as error:
        raise AnsibleConnectionFailure(f"the module's answer was lost: {error}") from error
    if len(received) < 8:
        raise AnsibleConnectionFailure("the module ended without an answer")
    code, length = struct.unpack(">iI", received[:8])
    return code, bytes(received[8 : 8 + length]), bytes(received[8 + length :])
