"""A fork server for Ansible modules: each runs in a fork that has the libraries already loaded.

Ansible starts a new interpreter for each task, and the Kubernetes client takes a second to load
in each. The connection plugin `reme_fork` sends the module's program to this process instead,
which executes it in a fork: the same program and result, in a process of its own.

A request is a length (4 bytes) and a program. The response is one byte when the program is about
to start, and then exit code and length of the output (4 bytes each), the output, the errors.
"""

import contextlib
import importlib
import os
import signal
import socket
import struct
import sys
import tempfile
import types
from pathlib import Path
from typing import NoReturn

_PRELOADED = (
    "kubernetes",
    "kubernetes.dynamic",
    "jsonpatch",
    "yaml",
    "ansible.module_utils.basic",
    "ansible.module_utils.urls",
    "ansible.module_utils._internal._ansiballz._loader",
    "ansible_collections.kubernetes.core.plugins.module_utils.ansiblemodule",
    "ansible_collections.kubernetes.core.plugins.module_utils.k8s.core",
    "ansible_collections.kubernetes.core.plugins.module_utils.k8s.runner",
    "reme_playbook.snapshot.revisions",
    "reme_runner.pod_replacement",
)
MAX_PROGRAM_BYTES = 16 * 1024 * 1024
STARTING = b"S"


def serve(path: str) -> NoReturn:
    """Listen at the socket, load the libraries, then answer one request after another."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4)
    sys.path.extend(p for p in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":") if p)
    for name in _PRELOADED:
        # A module that needs a missing library reports that itself.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Modules outside collections are `ansible.legacy.NAME`. Python looks for them in the package
    # `ansible` that is loaded here, not in the program that Ansible sends.
    with contextlib.suppress(KeyError):
        sys.modules["ansible"].__path__.append(str(Path(__file__).parent / "modules"))
    while True:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError, EOFError):
            _answer(connection)


def _answer(connection: socket.socket) -> None:
    (length,) = struct.unpack(">I", _receive(connection, 4))
    if length > MAX_PROGRAM_BYTES:
        return
    program = _receive(connection, length)
    connection.sendall(STARTING)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _execute(program, output.fileno(), errors.fileno())
        _, status = os.waitpid(child, 0)
        output.seek(0)
        errors.seek(0)
        printed = output.read()
        code = os.waitstatus_to_exitcode(status)
        connection.sendall(struct.pack(">iI", code, len(printed)) + printed + errors.read())


def _receive(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            raise EOFError
        received += part
    return bytes(received)


def _execute(program: bytes, output: int, errors: int) -> NoReturn:
    """Execute the program as `python -` would, and end this process."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        sys.argv = ["-"]
        try:
            exec(compile(program, "<stdin>", "exec"), main.__dict__)  # noqa: S102 (its purpose)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 (a fork must never continue as its parent)
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
