"""One sample of a probe, and the interface that takes it."""

from typing import NamedTuple, Protocol

from reme_api.diagnosis_report import Target
from reme_api.probes import Probe


class Sample(NamedTuple):
    """The result of taking a probe once; `passed` is None when it could not be taken."""

    passed: bool | None
    value: str
    message: str


class Prober(Protocol):
    """Takes samples of probes."""

    async def sample(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Take one sample; never raises, but for cancellation.

        Takes at most `probe.timeout_seconds`, and 5 s to look up the Service.
        """
        ...


class UnknownError(Exception):
    """Nothing can be said about the service; the sample is neither a success nor a failure."""
