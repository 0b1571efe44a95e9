"""Any program as a method: it gets the report as a file and the cluster by KUBECONFIG."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reme_benchmark.methods.base import MethodError, Simple, Task
from reme_benchmark.scoring.records import MethodReport

_LARGEST = 1_000_000


class Command(Simple):
    """Runs `command REPORT_FILE` once a case.

    The environment holds KUBECONFIG, REME_NAMESPACE, REME_TARGET (Kind/name) and
    REME_DEADLINE_SECONDS. The last line of its output may be a MethodReport as JSON; everything
    else is kept as its message. It is ended, with its children, at the deadline.
    """

    name = "command"

    def __init__(self, command: str) -> None:
        """Take the command as a shell would write it; no shell runs it."""
        self._words = shlex.split(command)
        if not self._words:
            raise MethodError("--external is empty: name the program that repairs")

    @property
    def options(self) -> dict[str, Any]:
        """Return the program, without its folder and arguments."""
        return {"command": Path(self._words[0]).name}

    async def repair(self, task: Task) -> MethodReport:
        """Run the program; what it leaves unsaid is an error of its own, not of the harness."""
        with tempfile.TemporaryDirectory(prefix="reme-bench-") as folder:
            path = Path(folder) / "report.json"
            path.write_text(json.dumps(task.report, indent=1))
            kind, name = task.target
            environment = os.environ | {
                "REME_NAMESPACE": task.namespace,
                "REME_TARGET": f"{kind}/{name}",
                "REME_DEADLINE_SECONDS": f"{task.deadline_seconds:.0f}",
            }
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._words,
                    str(path),
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                    cwd=folder,
                )
            except OSError as error:
                raise MethodError(f"{self._words[0]}: {error.strerror}") from error
            return await self._followed(process, task.deadline_seconds)

    async def _followed(
        self, process: asyncio.subprocess.Process, deadline_seconds: float
    ) -> MethodReport:
        try:
            async with asyncio.timeout(deadline_seconds):
                out, errors = await process.communicate()
        except TimeoutError:
            return MethodReport(
                outcome="TimedOut", acted=True, error=f"no end within {deadline_seconds:.0f} s"
            )
        finally:
            # The whole group: a child that goes on would repair, or break, the next case.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return parse_output(process.returncode or 0, out[-_LARGEST:], errors[-_LARGEST:])


def parse_output(code: int, out: bytes, errors: bytes) -> MethodReport:
    """Return the report that a program printed in its last line, or its output as the message."""
    text = out.decode(errors="replace").strip()
    last = text.splitlines()[-1] if text else ""
    with contextlib.suppress(ValidationError, ValueError):
        report = MethodReport.model_validate_json(last)
        return report if not code else report.model_copy(update={"error": f"exit code {code}"})
    failed = f"exit code {code}: {errors.decode(errors='replace').strip()[-500:]}" if code else ""
    return MethodReport(
        outcome="Failed" if code else "Done",
        acted=True,  # it does not say, so it is taken to have acted
        attempts=1,
        message=text[-1000:],
        error=failed,
    )
