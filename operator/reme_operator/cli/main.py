"""`kubectl reme`, also installed as `reme`: the program, and how it ends."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import stamina
from cyclopts import App, CycloptsError, Parameter

from reme_operator.cli import decision_commands, policy_explain, view_commands
from reme_operator.cli.errors import EXIT_CODES, CliError, ExitCode

Shell = Literal["bash", "zsh", "fish", "powershell"]

_HELP = """Show what reme does, and decide about it.

Uses your kubeconfig with your permissions, login plugins included.
"""
_EXIT_CODES = "\n".join(f"- {int(code)}: {meaning}" for code, meaning in EXIT_CODES.items())


def program(name: str = "kubectl-reme") -> App:
    """Return the program with all its commands."""
    app = App(
        name=name,
        help=_HELP,
        help_format="markdown",
        help_epilogue=f"Exit codes:\n\n{_EXIT_CODES}",
        version=_version,
        default_parameter=Parameter(show_default=False),
        suppress_keyboard_interrupt=False,
    )
    view_commands.register(app)
    decision_commands.register(app)
    app.command(policy_explain.app)

    @app.command
    def completion(shell: Shell, /) -> int:
        """Print the completion script of a shell; bash: `source <(kubectl-reme completion bash)`.

        Args:
            shell: Name of the shell.

        """
        print(app.generate_completion(shell=shell))
        return ExitCode.DONE

    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    stamina.instrumentation.set_on_retry_hooks(())  # they would print to standard output
    given = sys.argv[1:] if arguments is None else list(arguments)
    app = program("reme" if Path(sys.argv[0]).name == "reme" else "kubectl-reme")
    try:
        done = app(given, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return ExitCode.DONE if done is None else int(done)
    except CycloptsError as error:
        print(f"error: {error}\nSee {app.name[0]} --help.", file=sys.stderr)
        return ExitCode.USAGE
    except CliError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader has ended; what is left in the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE


def _version() -> str:
    try:
        return version("reme")
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
