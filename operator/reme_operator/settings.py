"""Settings of the operator: environment variables with the prefix REME_, read at the start."""

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

    # Scope
    namespace: Name = Field(
        description="Namespace of the release: all runs are created here, and its policies hold in"
        " all namespaces."
    )
    pod_name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name of this pod, its identity in the lease and in events.",
    )
    watch_namespaces: Names = Field(
        default=(), description="Namespaces of reports and targets; the whole cluster when empty."
    )
    paused: bool = Field(
        default=False, description="Start no remediation; those in progress continue."
    )

    # Limits of the whole cluster
    max_concurrent: int = Field(
        default=20, ge=1, le=1000, description="Maximum of open remediations in the cluster."
    )
    max_per_hour: int = Field(
        default=200, ge=1, le=100_000, description="Maximum of remediations started per hour."
    )
    storm_threshold: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="More open reports than this within the window are a report storm: reports of"
        " one cause are handled as one, by severity, few at a time.",
    )
    storm_window_seconds: int = Field(
        default=300,
        ge=10,
        le=86400,
        description="Window of the storm threshold: older reports do not count.",
    )
    storm_max_concurrent: int = Field(
        default=2, ge=1, le=1000, description="Maximum of open remediations during a report storm."
    )
    kill_switch_name: Name = Field(
        default=DEFAULT_NAME,
        description="ConfigMap of the release namespace that is the kill switch: it is on while the"
        " ConfigMap exists.",
    )

    # Runs
    sandbox_image: str = Field(min_length=1, description="Image of the Jobs that run playbooks.")
    sandbox_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="Pull policy of the sandbox image."
    )
    sandbox_image_pull_secrets: Names = Field(
        default=(), description="Pull Secrets of the sandbox image, in the release namespace."
    )
    run_role_kind: Literal["ClusterRole", "Role"] = Field(
        default="ClusterRole",
        description="Kind of the roles that are bound to runs; Role when only some namespaces are"
        " watched.",
    )
    run_role_prefix: str = Field(
        default="reme-run-", min_length=1, description="Prefix of the names of these roles."
    )

    # The model
    model_endpoint: str = Field(
        description="Base URL of an OpenAI-compatible server, such as http://model:8000/v1."
    )
    model_name: str = Field(
        default="reme", min_length=1, description="Name of the model in requests."
    )
    model_api_key_file: Path | None = Field(
        default=None,
        description="File with the API key of the endpoint; no key is sent when empty.",
    )
    model_timeout_seconds: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="Timeout of a request to the model; a small model on two cores needs a minute.",
    )
    model_attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description="Attempts of a request while the server is busy or unreachable.",
    )
    model_max_tokens: int = Field(
        default=512,
        ge=16,
        le=8192,
        description="Maximum length of a reply in tokens; a playbook of two tasks needs about 200.",
    )
    model_constrained: bool = Field(
        default=True,
        description="Constrain decoding by the schema of the allowed playbooks; false only for"
        " servers without structured output.",
    )
    model_prompt_style: PromptStyle = Field(
        default=PromptStyle.FEW_SHOT,
        description="Prompt style: trained for the released adapter, few-shot (with examples) for"
        " other models, choices (also with all possible actions) for models without constrained"
        " decoding.",
    )
    model_coordinator: Literal["rules", "model"] = Field(
        default="rules",
        description="Who chooses the inspections of method ThinkRemed: rules, or the model, for one"
        " that was trained or is able to do so. The released adapter is not.",
    )

    prometheus_url: str = Field(
        default="",
        description="Base URL of a Prometheus that investigations query, such as"
        " http://prometheus.monitoring:9090; none when empty.",
    )

    # Leader election
    leader_election: bool = Field(
        default=True,
        description="Act only while holding the lease; false only for a single replica.",
    )
    lease_name: Name = Field(default="reme-operator", description="Lease in the release namespace.")
    lease_duration_seconds: int = Field(
        default=15,
        ge=2,
        le=600,
        description="Time after which another replica takes an unrenewed lease.",
    )
    lease_renew_seconds: int = Field(
        default=10,
        ge=1,
        le=599,
        description="Time after which a leader that cannot renew stops; less than the lease"
        " duration, so that it stops before another starts.",
    )
    lease_retry_seconds: int = Field(
        default=2,
        ge=1,
        le=60,
        description="Interval between attempts to acquire or renew the lease.",
    )

    # The API server
    api_timeout_seconds: float = Field(
        default=10.0, gt=0, le=120, description="Timeout of a request to the API server."
    )
    api_attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description="Attempts of a request while the API server is busy or unreachable.",
    )

    # Telemetry
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz."
    )
    stalled_after_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time without progress of a step after which the process is unhealthy and is"
        " restarted; longer than any call of a step.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="Format of the log; auto is console on a terminal, else JSON."
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

    @field_validator("prometheus_url")
    @classmethod
    def _http_or_empty(cls, value: str) -> str:
        return cls._http(value) if value else value

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
