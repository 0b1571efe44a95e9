"""The control groups of a process, in version 1 (one tree per controller) and in version 2."""

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
        """Whether it is version 2. A hybrid node also has a v2 tree, but without controllers."""
        return (self.root / "cgroup.controllers").is_file()


@dataclass(frozen=True, slots=True)
class Groups:
    """The directories that one process is in."""

    unified: bool
    by_controller: dict[str, Path]

    def of(self, controller: str) -> Path:
        """Return the directory that holds a controller's files.

        Raises:
            AgentError: the node does not have that controller.

        """
        path = self.by_controller.get("" if self.unified else controller)
        if path is None:
            raise AgentError(f"this node has no {controller} controller")
        return path

    def join_files(self) -> list[Path]:
        """Return the files that a process writes itself into to be in all of these groups.

        All of them, not only those that a fault needs: a process that stayed in some of the
        agent's own groups would end with the agent.
        """
        return [path / "cgroup.procs" for path in dict.fromkeys(self.by_controller.values())]


def groups(tree: Tree, lines: str) -> Groups:
    """Read what /proc/PID/cgroup says, as seen from the root of the node's tree.

    Raises:
        AgentError: the paths are relative to another root than this one.

    """
    found: dict[str, Path] = {}
    for line in lines.splitlines():
        _, controllers, path = line.split(":", 2)
        if path.startswith("/.."):
            raise AgentError("the agent must run in the node's own cgroup namespace (privileged)")
        if tree.unified:
            if not controllers:
                found[""] = tree.root / path.lstrip("/")
            continue
        for controller in filter(None, controllers.split(",")):
            name = controller.removeprefix("name=")
            # Controllers may be mounted together: "cpu,cpuacct" with a link for each.
            folder = next((d for d in (name, controllers) if (tree.root / d).is_dir()), None)
            if folder:
                found[name] = tree.root / folder / path.lstrip("/")
    return Groups(tree.unified, found)


def root_join_files(tree: Tree) -> list[Path]:
    """Return the files with which a process leaves every group: it belongs to the node then."""
    if tree.unified:
        return [tree.root / "cgroup.procs"]
    folders = (path for path in sorted(tree.root.iterdir()) if (path / "tasks").is_file())
    real = dict.fromkeys(path.resolve() for path in folders)
    return [path / "cgroup.procs" for path in real]


def read(path: Path) -> str:
    """Return a file of a control group; GoneError when the group went with its container."""
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise GoneError(f"{path.name} is not there: the container is gone") from error
    except OSError as error:
        raise AgentError(f"{path.name} cannot be read: {error.strerror}") from error


def write(path: Path, text: str) -> None:
    """Write a setting; the kernel's refusal becomes an AgentError."""
    try:
        path.write_text(text)
    except FileNotFoundError as error:
        raise GoneError(f"{path.name} is not there: the container is gone") from error
    except OSError as error:
        raise AgentError(f"{path.name} does not take {text!r}: {error.strerror}") from error


def flat(text: str) -> dict[str, int]:
    """Read a file of lines `name number`."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


_ATTRIBUTE = "trusted.reme.fault"


def label(path: Path, text: str) -> None:
    """Attach a text to a group; it goes when the group goes."""
    os.setxattr(path, _ATTRIBUTE, text.encode())


def unlabel(path: Path) -> None:
    """Take the text away again."""
    with contextlib.suppress(OSError):
        os.removexattr(path, _ATTRIBUTE)


def labelled(top: Path) -> list[tuple[Path, str]]:
    """Return the groups below one that have a text attached."""
    found = []
    for folder, _, _ in os.walk(top):
        try:
            found.append((Path(folder), os.getxattr(folder, _ATTRIBUTE).decode()))
        except OSError:
            continue
    return found
