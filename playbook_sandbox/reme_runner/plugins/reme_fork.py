"""An Ansible connection plugin that runs modules in forks of the run's fork server."""

import os
import socket
import struct

from ansible.errors import AnsibleConnectionFailure  # type: ignore[import-untyped]
from ansible.plugins.connection.local import (  # type: ignore[import-untyped]
    Connection as LocalConnection,
)

DOCUMENTATION = """
name: reme_fork
short_description: runs modules in forks of a process that has their libraries loaded
description:
  - Like C(local), but a module on the standard input is executed by the fork server that listens
    at the socket in the environment variable E(REME_FORK_SERVER_SOCKET).
  - Commands without a program on the standard input run as with C(local), and so does everything
    when no fork server listens.
author: reme
version_added: "1.0.0"
extends_documentation_fragment:
  - connection_pipelining
options: {}
"""


class Connection(LocalConnection):  # type: ignore[misc]
    """Runs modules on this host in forks of the fork server."""

    transport = "local"

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Execute a module in a fork of the fork server, any other command as `local` does."""
        response = _execute(in_data) if in_data else None
        if response is None:
            response = super().exec_command(cmd, in_data, sudoable)
        return response


def _connect() -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ.get("REME_FORK_SERVER_SOCKET", ""))
    except OSError:
        connection.close()
        return None
    return connection


def _execute(program: bytes) -> tuple[int, bytes, bytes] | None:
    """Return exit code, output and errors of the program; None if it was certainly not started.

    A program that was started must not be started again: a lost response is a failed task.
    """
    connection = _connect()
    if connection is None:
        return None
    with connection:
        return _exchange(connection, program)


def _exchange(connection: socket.socket, program: bytes) -> tuple[int, bytes, bytes] | None:
    try:
        connection.sendall(struct.pack(">I", len(program)) + program)
        if not connection.recv(1):
            return None
    except OSError:
        return None
    received = bytearray()
    try:
        while part := connection.recv(65536):
            received += part
    except OSError as error:
        raise AnsibleConnectionFailure(f"lost connection to the fork server: {error}") from error
    if len(received) < 8:
        raise AnsibleConnectionFailure("the module ended without a response")
    code, length = struct.unpack(">iI", received[:8])
    return code, bytes(received[8 : 8 + length]), bytes(received[8 + length :])
