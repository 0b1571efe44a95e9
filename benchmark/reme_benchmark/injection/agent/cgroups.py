"""Reads and writes the control groups of a process, in cgroup v1 (a tree per controller) and v2."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from reme_benchmark.injection.agent.errors import AgentError, GoneError


@dataclass(frozen=True, slots=True)
class Tree:
    """Where the node's control groups are mounted."""

    root: Path

    @property
    def unified(self) -> bool:
        """Whether it is cgroup v2. A hybrid node also has a v2 tree, but without controllers."""
        return (self.root / "cgroup.controllers").is_file()


@dataclass(frozen=True, slots=True)
class Groups:
    """The directories that one process is in."""

    unified: bool
    by_controller: dict[str, Path]

    def directory(self, controller: str) -> Path:
        """Return the directory that holds a controller's files.

        Raises:
            AgentError: the node does not have that controller.

        """
        path = self.by_controller.get("" if self.unified else controller)
        if path is None:
            raise AgentError(f"this node has no {controller} controller")
        return path

    def join_files(self) -> list[Path]:
        """Return the `cgroup.procs` files by which a process joins all of these groups.

        A process that stayed in one of the agent's own groups would end with the agent.
        """
        return [path / "cgroup.procs" for path in dict.fromkeys(self.by_controller.values())]


def groups(tree: Tree, lines: str) -> Groups:
    """Parse /proc/PID/cgroup, with paths below the root of the node's tree.

    Raises:
        AgentError: the paths are relative to another root.
    """
    by_controller: dict[str, Path] = {}
    for line in lines.splitlines():
        _, controllers, path = line.split(":", 2)
        if path.startswith("/.."):
            raise AgentError("the agent must run privileged, in the node's cgroup namespace")
        if tree.unified:
            if not controllers:
                by_controller[""] = tree.root / path.lstrip("/")
            continue
        for controller in filter(None, controllers.split(",")):
            name = controller.removeprefix("name=")
            # Controllers may be mounted together: "cpu,cpuacct" with a link for each.
            folder = next((d for d in (name, controllers) if (tree.root / d).is_dir()), None)
            if folder:
                by_controller[name] = tree.root / folder / path.lstrip("/")
    return Groups(tree.unified, by_controller)


def root_join_files(tree: Tree) -> list[Path]:
    """Return the `cgroup.procs` files of the root groups, which belong to the node."""
    if tree.unified:
        return [tree.root / "cgroup.procs"]
    folders = (path for path in sorted(tree.root.iterdir()) if (path / "tasks").is_file())
    resolved = dict.fromkeys(path.resolve() for path in folders)
    return [path / "cgroup.procs" for path in resolved]


def read(path: Path) -> str:
    """Return the content of a control group's file; GoneError when the container has ended."""
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise GoneError(f"{path.name} does not exist: the container has ended") from error
    except OSError as error:
        raise AgentError(f"{path.name} cannot be read: {error.strerror}") from error


def write(path: Path, text: str) -> None:
    """Write a setting; AgentError when the kernel refuses it."""
    try:
        path.write_text(text)
    except FileNotFoundError as error:
        raise GoneError(f"{path.name} does not exist: the container has ended") from error
    except OSError as error:
        raise AgentError(f"cannot write {text!r} to {path.name}: {error.strerror}") from error


def parse_flat(text: str) -> dict[str, int]:
    """Parse a file of lines `name number`."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


_ATTRIBUTE = "trusted.reme.fault"


def label(path: Path, text: str) -> None:
    """Attach a text to a group. It disappears together with the group."""
    os.setxattr(path, _ATTRIBUTE, text.encode())


def unlabel(path: Path) -> None:
    """Remove the text from a group."""
    with contextlib.suppress(OSError):
        os.removexattr(path, _ATTRIBUTE)


def labelled(top: Path) -> list[tuple[Path, str]]:
    """Return (group, text) of the groups below `top` that have a text attached."""
    labels = []
    for folder, _, _ in os.walk(top):
        try:
            labels.append((Path(folder), os.getxattr(folder, _ATTRIBUTE).decode()))
        except OSError:
            continue
    return labels
