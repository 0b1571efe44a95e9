"""What can go wrong inside the operator itself.

OperatorError
├── TargetVanishedError     the workload that is being repaired is gone
├── StaleError              what was read has changed since: observe again
└── DeposedError            this process does not lead any more: stop at once

`clients.errors` lists what the API server says, `reme_model.inference.errors` what the model server says and
`reme_playbook.errors` what the playbook language says. Only `handlers/` turns any of them into
kopf's; foreign text is cut before it reaches a status, and no traceback ever does.
"""  # noqa: E501


class OperatorError(Exception):
    """Anything that the operator itself raises."""


class TargetVanishedError(OperatorError):
    """The workload that is being repaired does not exist any more."""


class StaleError(OperatorError):
    """The object changed while a decision about it was being carried out."""


class LeadershipLostError(OperatorError):
    """This process does not lead any more, so it must not write."""


def one_line(error: BaseException, longest: int = 300) -> str:
    """Return one bounded line about an error, fit for a status."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
