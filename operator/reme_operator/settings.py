"""What the installer decides: environment variables with the prefix REME_, read once at start."""

import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    HttpUrl,
    StringConstraints,
    TypeAdapter,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from reme_model.prompt.messages import PromptStyle
from reme_operator.kill_switch.state import DEFAULT_NAME

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Names = Annotated[tuple[Name, ...], NoDecode]
"""Several names, separated by commas in the environment."""

_URL = TypeAdapter(HttpUrl)


class OperatorSettings(BaseSettings):
    """The settings of the operator; an empty variable counts as absent."""

    model_config = SettingsConfigDict(
        env_prefix="REME_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    # Where it is and what it looks after
    namespace: Name = Field(
        description="Namespace of the release: every run happens here, and its policies hold"
        " everywhere."
    )
    pod_name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name of this pod: its identity in the lease and in events.",
    )
    watch_namespaces: Names = Field(
        default=(), description="Namespaces of reports and targets; the whole cluster when empty."
    )
    paused: bool = Field(
        default=False, description="Begin nothing new; what has begun is brought to its end."
    )

    # How much at once, whatever the policies say
    max_concurrent: int = Field(
        default=20, ge=1, le=1000, description="Open remediations at once, in the whole cluster."
    )
    max_per_hour: int = Field(
        default=200, ge=1, le=100_000, description="Remediations begun in an hour."
    )
    storm_threshold: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="More open reports than this within the window are a storm: few are acted on,"
        " the worst first, and those with one cause as one.",
    )
    storm_window_seconds: int = Field(
        default=300, ge=10, le=86400, description="How old a report may be to count for a storm."
    )
    storm_max_concurrent: int = Field(
        default=2, ge=1, le=1000, description="Open remediations at once in a storm."
    )
    kill_switch_name: Name = Field(
        default=DEFAULT_NAME,
        description="ConfigMap of the release namespace that stops every new write while it"
        " exists.",
    )

    # Runs
    sandbox_image: str = Field(min_length=1, description="Image of the Jobs that run playbooks.")
    sandbox_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When the nodes pull that image."
    )
    sandbox_image_pull_secrets: Names = Field(
        default=(), description="Secrets of the release namespace that the nodes pull it with."
    )
    run_role_kind: Literal["ClusterRole", "Role"] = Field(
        default="ClusterRole",
        description="Kind of the roles that are bound to a run; Role when only some namespaces"
        " are watched.",
    )
    run_role_prefix: str = Field(
        default="reme-run-", min_length=1, description="What the names of those roles begin with."
    )

    # The model
    model_endpoint: str = Field(
        description="Base URL of an OpenAI-compatible server, such as http://model:8000/v1."
    )
    model_name: str = Field(default="reme", min_length=1, description="Model to ask for.")
    model_api_key_file: Path | None = Field(
        default=None, description="File with the key of the endpoint; none is sent when absent."
    )
    model_timeout_seconds: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="Longest wait for one whole reply; a small model on two cores needs a minute.",
    )
    model_attempts: int = Field(
        default=4, ge=1, le=10, description="Tries while the server is busy or not there."
    )
    model_max_tokens: int = Field(
        default=512,
        ge=16,
        le=8192,
        description="Longest reply in tokens; a playbook of two tasks needs about 200.",
    )
    model_constrained: bool = Field(
        default=True,
        description="Decode under the schema of what is allowed; only servers without structured"
        " output need false.",
    )
    model_prompt_style: PromptStyle = Field(
        default=PromptStyle.FEW_SHOT,
        description="How the model is asked: trained for one that was trained on incidents,"
        " few-shot with examples for any other, choices also with all that is possible for one"
        " that answers freely.",
    )

    # Being one of several
    leader_election: bool = Field(
        default=True, description="Wait for the lease before acting; false only for one replica."
    )
    lease_name: Name = Field(default="reme-operator", description="Lease in the release namespace.")
    lease_duration_seconds: int = Field(
        default=15, ge=2, le=600, description="How long others wait for a leader that went silent."
    )
    lease_renew_seconds: int = Field(
        default=10,
        ge=1,
        le=599,
        description="How long a leader that cannot renew still acts; less than the duration, so"
        " that it stops before another begins.",
    )
    lease_retry_seconds: int = Field(
        default=2, ge=1, le=60, description="Time between two tries to get or renew the lease."
    )

    # The API server
    api_timeout_seconds: float = Field(
        default=10.0, gt=0, le=120, description="Longest single request to the API server."
    )
    api_attempts: int = Field(
        default=4, ge=1, le=10, description="Tries when it is busy or not there."
    )

    # What it tells
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz."
    )
    stalled_after_seconds: float = Field(
        default=60.0,
        gt=0,
        description="A step that makes no progress for so long makes the process unhealthy, so"
        " that it is restarted; longer than any call that a step makes.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="JSON unless a person looks on, when auto."
    )

    @property
    def release_namespace(self) -> str:
        """The namespace where runs live."""
        return self.namespace

    @field_validator("watch_namespaces", "sandbox_image_pull_secrets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("model_endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        _URL.validate_python(value)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _lease_times_fit(self) -> Self:
        if not self.lease_retry_seconds < self.lease_renew_seconds < self.lease_duration_seconds:
            raise ValueError("lease_retry_seconds < lease_renew_seconds < lease_duration_seconds")
        return self

    def model_api_key(self) -> str:
        """Return the key of the endpoint; empty when there is none.

        Raises:
            OSError: when the file was named but cannot be read.

        """
        return self.model_api_key_file.read_text().strip() if self.model_api_key_file else ""
