"""Every command of the documentation can be run: its program, options, files and values exist.

A command is parsed by its own program, or rendered without a cluster. The tutorial runs on a real
cluster in `tests/e2e/docs`. A command that no test can check is in `NOT_CHECKED` with the reason.
"""

import functools
import importlib.util
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from cyclopts import App, CycloptsError, MissingArgumentError

from reme_api.reasons import ConditionType
from reme_benchmark.cli.main import app as benchmark
from reme_operator.cli.main import program
from tests.support.chart import KUBERNETES, helm_binary
from tests.support.documentation import (
    ROOT,
    Command,
    inline_code,
    name_of,
    pages,
    shell_commands,
    simple_commands,
)

NOT_CHECKED = {
    "cat": "prints a file; the checker tests that it exists",
    "cd": "changes the directory of the shell",
    "grep": "filters lines; the tutorial's test runs it",
    "dirname": "prints the folder of a path that another command gives",
    "source": "reads the completion script that another command prints",
}
BUILT_IN_KINDS = {
    *("configmap", "configmaps", "crd", "deploy", "deployment", "deployments", "events", "job"),
    *("jobs", "lease", "leases", "namespace", "namespaces", "node", "nodes", "pod", "pods"),
    *("secret", "secrets", "service", "services"),
}
KUBECTL_TREES = frozenset({"create", "rollout", "set"})
"""Commands of kubectl with commands below them."""
WITH_KINDS = frozenset({"delete", "describe", "get", "label", "logs", "patch", "scale", "wait"})
"""Commands of kubectl whose first argument is a kind."""
SHORT_WITH_VALUE = frozenset({"-c", "-f", "-l", "-n", "-o", "-p"})


class FaultyCommandError(Exception):
    """A command of the documentation does not work; the message says why."""


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    """Return what a command prints; one that fails is a fault of the documentation."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | (environment or {}),
    )  # fmt: skip
    if done.returncode:
        raise FaultyCommandError(f"{shlex.join(command)}: {done.stderr[-800:] or done.stdout}")
    return done.stdout


@functools.cache
def help_of(*command: str) -> str:
    """Return the help of a program or of a command of it."""
    return run(*command, "--help")


def require_options(words: Sequence[str], text: str) -> None:
    """Fail when an option is not in the text of a help."""
    for word in words:
        option = word.split("=", 1)[0]
        if option.startswith("-") and option not in {"-", "--"}:
            pattern = rf"(?<![\w-]){re.escape(option)}(?![\w-])"
            if not re.search(pattern, text):
                raise FaultyCommandError(f"there is no option {option}")


def require_file(name: str) -> None:
    """Fail when a file does not exist; words in capitals stand for one of the reader's."""
    if name != "-" and not name.isupper() and not list(ROOT.glob(name)):
        raise FaultyCommandError(f"there is no file {name}")


@functools.cache
def kubectl_binary() -> str:
    """Return where kubectl is."""
    named = os.environ.get("REME_KUBECTL") or shutil.which("kubectl")
    return named or run(sys.executable, "-m", "reme_cluster", "bin", "kubectl").strip()


@functools.cache
def kinds() -> frozenset[str]:
    """Return every name that kubectl knows for a kind of ours, and the built-in ones in use."""
    names = set(BUILT_IN_KINDS)
    for path in sorted((ROOT / "crds" / "bases").glob("*.yaml")):
        spec = yaml.safe_load(path.read_text())["spec"]
        own = spec["names"]
        for name in (own["plural"], own["singular"]):
            names |= {name, f"{name}.{spec['group']}"}
        names |= {*own.get("shortNames", []), *own.get("categories", [])}
    return frozenset(names)


@functools.cache
def make_check(words: tuple[str, ...]) -> None:
    """Check the targets and variables of make."""
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, equals, _ = word.partition("=")
        if equals and not re.search(
            rf"\$\(\w*,?{name}\b|\({name}\)|^{name} ?\?=", makefile, re.MULTILINE
        ):
            raise FaultyCommandError(f"the Makefile has no variable {name}")
    run("make", "--dry-run", "--no-print-directory", *words, f"PY={sys.executable}")


def kubectl_check(words: tuple[str, ...]) -> None:
    """Check a command of kubectl: command, options, kinds, files, conditions, patches."""
    if words[0] == "reme":
        parse_cli(program(), words[1:])
        return
    if words[0] in {"-n", "--namespace"}:
        words = words[2:]
    depth = 2 if words[0] in KUBECTL_TREES else 1
    command, rest = words[:depth], words[depth:]
    if command == ("create", "secret"):
        command, rest = (*command, rest[0]), rest[1:]
    require_options(rest, help_of(kubectl_binary(), *command) + global_options())
    for option, value in itertools.pairwise(rest):
        if option in {"-f", "--filename"}:
            require_file(value)
        if option in {"-p", "--patch"}:
            json.loads(value)
    if command[0] in WITH_KINDS:
        require_kinds(rest, only_with_name=command[0] == "logs")
    if command[0] == "create":
        nowhere = {"KUBECONFIG": os.devnull}
        run(kubectl_binary(), *command, *rest, "--dry-run=client", environment=nowhere)


@functools.cache
def global_options() -> str:
    """Return the options that every command of kubectl has."""
    return run(kubectl_binary(), "options")


def require_kinds(words: Sequence[str], *, only_with_name: bool) -> None:
    """Fail when the first argument names no kind, or a condition is none of ours."""
    values = {value for option, value in itertools.pairwise(words) if option in SHORT_WITH_VALUE}
    plain = [word for word in words if not word.startswith("-") and word not in values]
    for part in plain[0].split(",") if plain else []:
        if part.split("/")[0] not in kinds() and ("/" in part or not only_with_name):
            raise FaultyCommandError(f"there is no kind {part}")
    for word in words:
        condition = word.removeprefix("--for=condition=")
        if condition != word and condition not in {*ConditionType, "Available", "Complete"}:
            raise FaultyCommandError(f"there is no condition {condition}")


@functools.cache
def helm_check(words: tuple[str, ...]) -> None:
    """Check a command of helm; what would be installed is rendered."""
    require_options(words[1:], help_of(helm_binary(), words[0]))
    if words[0] in {"install", "upgrade"}:
        values = [
            part
            for option, value in itertools.pairwise(words)
            if option in {"--set", "--values", "--set-string"}
            for part in (option, value)
        ]
        run(
            helm_binary(), "template", "reme", "charts/reme", "--namespace", "reme-system",
            "--kube-version", KUBERNETES, *values,
        )  # fmt: skip


def parse_cli(app: App, words: Sequence[str], *, whole: bool = True) -> None:
    """Parse a command line of our own; with `whole`, all arguments must be there."""
    if words and words[0] in {"--help", "-h"}:
        return
    words = ["bash" if word == "SHELL" else word for word in words if word != "[OPTIONS]"]
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError as error:
        if whole:
            raise FaultyCommandError(str(error)) from error
    except CycloptsError as error:
        raise FaultyCommandError(str(error)) from error
    if "--policy" in words and whole:
        require_file(words[words.index("--policy") + 1])


@functools.cache
def python_check(words: tuple[str, ...]) -> None:
    """Check `python -m MODULE` or `python FILE`: it exists, and knows its options."""
    if words[0] == "-m":
        target, rest = words[:2], words[2:]
        if importlib.util.find_spec(words[1]) is None:
            raise FaultyCommandError(f"there is no module {words[1]}")
    else:
        require_file(words[0])
        target, rest = words[:1], words[1:]
    if target[1:] == ("pytest",):
        for word in rest:
            if word.startswith("tests/"):
                require_file(word)
        return
    command = [sys.executable, *target]
    if rest and not rest[0].startswith("-"):  # the help of a command, where there are any
        command.append(rest[0])
    try:
        text = help_of(*command)
    except FaultyCommandError as error:
        if "No module named 'torch'" not in str(error):
            raise
        # Training needs torch, which this environment does not have: read its options as text.
        spec = importlib.util.find_spec(words[1])
        assert spec is not None
        assert spec.origin is not None
        text = "".join(path.read_text() for path in Path(spec.origin).parent.glob("*.py"))
    require_options(rest, text)


def pip_check(words: tuple[str, ...]) -> None:
    """Check that only this repository, with extras that exist, is installed."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for word in words[1:]:
        match = re.fullmatch(r"\.(?:\[([\w,]+)\])?", word)
        if match is None:
            raise FaultyCommandError(f"{word} is not this repository")
        for extra in (match[1] or "").split(","):
            if extra and extra not in extras:
                raise FaultyCommandError(f"there is no extra {extra}")


def check(command: Command) -> None:
    """Check one command of the documentation.

    Raises:
        FaultyCommandError: it does not work.
    """
    name, words = Path(command.words[0]).name, command.words[1:]
    if name == "cat":
        for word in words:
            require_file(word)
    elif name == "make":
        make_check(words)
    elif name == "kubectl":
        kubectl_check(words)
    elif name in {"reme", "kubectl-reme"}:
        parse_cli(program(name), words)
    elif name == "reme-bench":
        parse_cli(benchmark, words)
    elif name == "reme-cluster":
        python_check(("-m", "reme_cluster", *words))
    elif name == "helm":
        helm_check(words)
    elif name == "python":
        python_check(words)
    elif name == "pip":
        pip_check(words)
    elif name not in NOT_CHECKED:
        raise FaultyCommandError(f"no test can check {name}: add a check, or a reason")


def test_the_commands_of_every_page_work() -> None:
    commands = list(shell_commands())
    assert len(commands) > 80, "the blocks of the pages were not found"
    faults = []
    for command in commands:
        try:
            check(command)
        except FaultyCommandError as error:
            faults.append(f"{command}\n    {error}")
    assert not faults, "\n".join(faults)


def test_the_commands_in_the_text_of_every_page_exist() -> None:
    faults = []
    programs = ("make ", "kubectl reme ", "reme-bench ", "python ", "helm ")
    for page in pages():
        if name_of(page) == "docs/explanation/renames.md":
            continue  # it names commands of before
        for place, code in inline_code(page):
            if not code.startswith(programs) or "…" in code or "..." in code or code == "python -m":
                continue
            try:
                for command in simple_commands(place, code):
                    if command.words[:2] == ("kubectl", "reme"):
                        parse_cli(program(), command.words[2:], whole=False)
                    elif command.words[0] == "reme-bench":
                        parse_cli(benchmark, command.words[1:], whole=False)
                    else:
                        check(command)
            except FaultyCommandError as error:
                faults.append(f"{place}: {code}\n    {error}")
    assert not faults, "\n".join(faults)


def test_the_commands_in_the_comments_of_the_examples_work() -> None:
    programs = r"(?:kubectl|make|helm) "
    pattern = re.compile(rf"(?m)^#\s{{2,}}({programs}.*)$|`({programs}[^`]*)`")
    commands = [
        command
        for path in sorted((ROOT / "examples").glob("*.yaml"))
        for match in pattern.finditer(path.read_text())
        for command in simple_commands(name_of(path), match[1] or match[2])
    ]
    assert commands
    for command in commands:
        check(command)


@pytest.mark.parametrize(
    "line",
    [
        "make no-such-target",
        "make test NO_SUCH_VARIABLE=1",
        "kubectl get remediatons -A",
        "kubectl get pods --no-such-option",
        "kubectl apply -f examples/no-such-file.yaml",
        "kubectl wait remediation/x --for=condition=Succeded",
        "kubectl reme undo NAME -n shop",
        "kubectl reme show NAME --no-such-option",
        "kubectl create configmap",
        "reme-bench run --no-such-option",
        "reme-bench no-such-command",
        "python -m reme_no_such_module",
        "python -m reme_cluster up --no-such-option",
        "python images/no_such_file.py",
        "helm upgrade reme charts/reme --set noSuchValue=1",
        "helm upgrade reme charts/reme --no-such-option",
        "pip install reme",
        "pip install '.[no-such-extra]'",
        "no-such-program --help",
        "cat no/such/file",
    ],
)
def test_a_command_that_does_not_work_is_found(line: str) -> None:
    (command,) = simple_commands("page", line)
    with pytest.raises(FaultyCommandError):
        check(command)
