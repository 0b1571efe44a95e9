"""What the Job tells its runner, through the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reme_playbook.errors import PlaybookError
from reme_playbook.execution.pod import INPUT_DIRECTORY
from reme_runner.api_client import ApiServer


class RunnerSettingsError(PlaybookError):
    """The runner was started with an environment that no Job of reme has."""


@dataclass(frozen=True)
class Settings:
    """One run, and where its files are."""

    run: str
    namespace: str
    result_config_map: str
    pod: str
    playbook_digest: str
    deadline_seconds: int
    undo: bool
    server: ApiServer
    playbook: Path
    scratch: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment.

        Raises:
            RunnerSettingsError: a variable is missing or malformed.
        """
        try:
            return cls(
                run=environment["REME_RUN_NAME"],
                namespace=environment["REME_RUN_NAMESPACE"],
                result_config_map=environment["REME_RESULT"],
                pod=environment.get("REME_POD_NAME", ""),
                playbook_digest=environment["REME_PLAYBOOK_DIGEST"],
                deadline_seconds=int(environment["REME_DEADLINE_SECONDS"]),
                undo=environment.get("REME_UNDO") == "true",
                server=ApiServer.from_environment(environment),
                playbook=Path(environment.get("REME_INPUT", INPUT_DIRECTORY)) / "playbook.json",
                scratch=Path(environment.get("TMPDIR", "/tmp")),  # noqa: S108 (the pod's own)
            )
        except KeyError as error:
            raise RunnerSettingsError(f"{error.args[0]} is not set") from error
        except ValueError as error:
            raise RunnerSettingsError(str(error)) from error
