"""What can go wrong inside the operator itself.

OperatorError
├── TargetVanishedError     the target was deleted
├── StaleError              the object changed while a decision was being carried out: read it again
└── LeadershipLostError     this process does not hold the lease: it must not write

`reme_kube.errors` lists what a call to the API server raises, `reme_model.inference.errors` what a
call to the model server raises, and `reme_playbook.errors` what a playbook raises. Only `handlers/`
turns any of them into kopf's. Text of others is cut before it reaches a status; a traceback never
reaches one.
"""


class OperatorError(Exception):
    """Anything that the operator itself raises."""


class TargetVanishedError(OperatorError):
    """The target was deleted."""


class StaleError(OperatorError):
    """The object changed while a decision about it was being carried out."""


class LeadershipLostError(OperatorError):
    """This process does not hold the lease, so it must not write."""


def one_line(error: BaseException, max_length: int = 300) -> str:
    """Return the error's message on one bounded line, fit for a status."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
