"""The name and the directories of a cluster: from options, the environment, or defaults."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from reme_cluster.errors import ClusterError

DEFAULT_NAME = "reme"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?")


@dataclass(frozen=True)
class Settings:
    """The name of one cluster and the two directories that it may write to."""

    name: str
    state_root: Path
    cache: Path

    @property
    def state_dir(self) -> Path:
        """The directory of this cluster."""
        return self.state_root / self.name

    @classmethod
    def resolve(
        cls, name: str | None = None, state_root: str | None = None, cache: str | None = None
    ) -> "Settings":
        """Return settings from the given options, completed from the environment and defaults.

        Raises:
            ClusterError: the name cannot be part of a host name.
        """
        name = name or os.environ.get("REME_CLUSTER_NAME") or DEFAULT_NAME
        if not _NAME.fullmatch(name):
            raise ClusterError(
                f"cluster name {name!r}: use up to 32 lower-case letters, digits and dashes, "
                "beginning with a letter"
            )
        root = state_root or os.environ.get("REME_CLUSTER_STATE")
        return cls(
            name=name,
            state_root=Path(root).expanduser().absolute() if root else default_state_root(),
            cache=Path(cache).expanduser().absolute() if cache else default_cache(),
        )


def default_state_root() -> Path:
    """Return the default directory of clusters: the system's for root, or the user's."""
    if os.geteuid() == 0:
        return Path("/var/lib/reme-cluster")
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser().absolute() / "reme-cluster"


def default_cache() -> Path:
    """Return the default directory of built programs."""
    if path := os.environ.get("REME_CACHE"):
        return Path(path).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "reme"
