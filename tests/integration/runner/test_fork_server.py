"""The fork server: programs run in its forks as if each had an interpreter of its own."""

import importlib.util
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from reme_runner import ansible_run

ANSIBLE = pytest.importorskip("ansible.errors", reason="ansible-core is not installed")


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    path = ansible_run.PLUGINS / "reme_fork.py"
    spec = importlib.util.spec_from_file_location("reme_fork", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[bytes]"]:
    path = tmp_path_factory.mktemp("fork-server") / "s"
    process = subprocess.Popen([sys.executable, "-P", "-m", "reme_runner.fork_server", str(path)])
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REME_FORK_SERVER_SOCKET", str(path))
        yield process
    process.kill()
    process.wait()


pytestmark = pytest.mark.usefixtures("fork_server")


def test_a_program_gets_what_an_interpreter_would_give_it(plugin: ModuleType) -> None:
    program = (
        b"import sys, __main__\n"
        b"print(__name__, sys.argv, sys.stdin.read(), 'kubernetes' in sys.modules)\n"
        b"print(sys.modules['__main__'] is __main__, 'serve' in dir(), file=sys.stderr)\n"
    )
    assert plugin._execute(program) == (0, b"__main__ ['-']  True\n", b"True False\n")


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (b"import sys; sys.exit(3)", 3),
        (b"import sys; sys.exit()", 0),
        (b"import sys; sys.exit('no')", 1),
        (b"raise ValueError('x')", 1),
        (b"this is no program", 1),
        (b"import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_exit_codes(plugin: ModuleType, program: bytes, code: int) -> None:
    answer = plugin._execute(program)
    assert answer is not None
    assert answer[0] == code


def test_an_error_is_reported_where_an_interpreter_would(plugin: ModuleType) -> None:
    code, output, errors = plugin._execute(b"print('before')\nraise ValueError('what happened')")
    assert (code, output) == (1, b"before\n")
    assert b"ValueError: what happened" in errors


def test_programs_do_not_see_each_other(plugin: ModuleType) -> None:
    assert plugin._execute(b"import sys; sys.left_behind = 1; import os; os.environ['A'] = 'b'")
    code, output, _ = plugin._execute(
        b"import os, sys; print(hasattr(sys, 'left_behind'), 'A' in os.environ)"
    )
    assert (code, output) == (0, b"False False\n")


def test_much_output_arrives_whole(plugin: ModuleType) -> None:
    answer = plugin._execute(b"print('x' * 3_000_000)")
    assert answer is not None
    assert len(answer[1]) == 3_000_001


def test_a_broken_request_does_not_end_it(plugin: ModuleType) -> None:
    for junk in (b"", b"\x00", struct.pack(">I", 2**31), struct.pack(">I", 10) + b"short"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.environ["REME_FORK_SERVER_SOCKET"])
            connection.sendall(junk)
    assert plugin._execute(b"print(1)") == (0, b"1\n", b"")


def test_nobody_listening_is_known_to_have_started_nothing(
    plugin: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REME_FORK_SERVER_SOCKET", str(tmp_path / "none"))
    assert plugin._execute(b"print(1)") is None
    monkeypatch.delenv("REME_FORK_SERVER_SOCKET")
    assert plugin._execute(b"print(1)") is None


def test_at_last_a_program_that_was_started_is_never_started_again(
    plugin: ModuleType, fork_server: "subprocess.Popen[bytes]"
) -> None:
    """The fork server dies under it: that is a failure, not a reason to try elsewhere."""
    with pytest.raises(ANSIBLE.AnsibleConnectionFailure, match="without a response"):
        plugin._execute(f"import os; os.kill({fork_server.pid}, 9)".encode())
