"""Starts a run: reads the settings, starts the fork server, and then loads everything else."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from reme_runner.ansible_run import environment
from reme_runner.settings import RunnerSettingsError, Settings

EXIT_INVALID_SETTINGS = 2


def main() -> int:
    """Carry out the run that the environment describes, and return the exit code."""
    started = datetime.now(UTC)
    try:
        settings = Settings.from_environment()
    except RunnerSettingsError as error:
        print(f"reme-run: {error}", file=sys.stderr)
        return EXIT_INVALID_SETTINGS
    with tempfile.TemporaryDirectory(dir=settings.scratch, prefix="reme-") as name:
        scratch = Path(name)
        variables = environment(scratch, scratch / "fork-server.sock")
        with fork_server(variables, scratch / "fork-server.sock"):
            # pydantic looks for plugins, which takes a tenth of a second; there are none.
            os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
            # Imported late: the fork server takes longest to load, so it is started first.
            from reme_runner.run import execute

            return execute(settings, scratch, variables, started)


@contextmanager
def fork_server(variables: Mapping[str, str], socket: Path) -> Iterator[None]:
    """Start the fork server, which listens at `socket`; kill it and its children at the end."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "reme_runner.fork_server", str(socket)],
        env=dict(variables),
        cwd=socket.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
