"""How a command fails: exit codes, and messages that say what happened, why and what to do."""

from enum import IntEnum

from reme_kube.errors import (
    ClusterError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
    UnreadableError,
)


class ExitCode(IntEnum):
    """What a command ends with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NEGATIVE = 3
    INTERRUPTED = 130


EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "the command failed; the message says what happened, why and what to do",
    ExitCode.USAGE: "wrong command line",
    ExitCode.NEGATIVE: (
        "the command worked and the answer is no: a report would not be accepted, an edited"
        " playbook was refused, a rollback failed, an approval was declined at the prompt"
    ),
    ExitCode.INTERRUPTED: "interrupted",
}
"""The meaning of each, for the help and the reference."""


class CliError(Exception):
    """A command that failed; the message is one or two lines for the person who typed it."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


def is_missing_api(error: NotFoundError) -> bool:
    """Return whether the API server does not serve the kind at all."""
    texts = ("404 page not found", "the server could not find the requested resource")
    return any(text in error.server_message for text in texts)


def describe(error: ClusterError, server: str) -> str:
    """Return the message for an error of the API server or on the way to it."""
    answer = error.server_message.strip() or str(error)
    match error:
        case ForbiddenError() if error.status == 401:
            return (
                f"the API server {server} did not accept the credentials: {answer}.\n"
                "Log in again, or choose another context with --context."
            )
        case ForbiddenError():
            return f"the API server refused the request: {answer}"
        case NotFoundError() if is_missing_api(error):
            return (
                f"the API server {server} does not serve reme.dev/v1alpha1: reme is not installed"
                " there.\nInstall the chart, or choose another context with --context."
            )
        case InvalidError():
            return f"the API server refused the content: {answer}"
        case UnreadableError():
            return (
                f"{error}\nThe object does not fit this version of the command line;"
                " install the version of the operator."
            )
        case UnavailableError():
            return (
                f"the API server {server} did not answer: {_network_reason(error)}.\n"
                "Check the network and the context (kubectl config current-context)."
            )
    return answer


def _network_reason(error: ClusterError) -> str:
    """Return why there is no connection, without the noise of the HTTP library."""
    cause = error.__cause__
    certificate = getattr(cause, "certificate_error", None)
    if certificate is not None:
        return f"its certificate is not trusted: {certificate}"
    network = getattr(cause, "os_error", None)
    if network is not None:
        return str(network.strerror or network)
    return error.server_message or str(error)
