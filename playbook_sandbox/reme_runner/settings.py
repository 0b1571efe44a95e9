"""The runner's settings: what the Job says in the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reme_playbook.errors import PlaybookError
from reme_playbook.execution.runner_contract import INPUT_DIRECTORY, PLAYBOOK_KEY, Variable
from reme_runner.api_client import ApiServer


class RunnerSettingsError(PlaybookError):
    """A variable that the Job always sets is missing or malformed."""


@dataclass(frozen=True)
class Settings:
    """One run, and where its files are."""

    run: str
    namespace: str
    result_config_map: str
    pod: str
    playbook_digest: str
    deadline_seconds: int
    is_rollback: bool
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
                run=environment[Variable.RUN_NAME],
                namespace=environment[Variable.NAMESPACE],
                result_config_map=environment[Variable.RESULT],
                pod=environment.get(Variable.POD_NAME, ""),
                playbook_digest=environment[Variable.PLAYBOOK_DIGEST],
                deadline_seconds=int(environment[Variable.DEADLINE_SECONDS]),
                is_rollback=environment.get(Variable.IS_ROLLBACK) == "true",
                server=ApiServer.from_environment(environment),
                playbook=Path(environment.get("REME_INPUT", INPUT_DIRECTORY)) / PLAYBOOK_KEY,
                scratch=Path(environment.get("TMPDIR", "/tmp")),  # noqa: S108 (the pod's own)
            )
        except KeyError as error:
            raise RunnerSettingsError(
                f"the variable {error.args[0]} is not set; only a Job of reme sets it"
            ) from error
        except ValueError as error:
            raise RunnerSettingsError(f"a variable is malformed: {error}") from error
