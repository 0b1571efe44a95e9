"""The agent: REME_FAULT_TOKEN, REME_FAULT_CLUSTER, REME_CGROUP_ROOT and PORT say how."""

import os
import signal
import sys
from pathlib import Path

from reme_benchmark.injection.agent.cgroups import Tree
from reme_benchmark.injection.agent.node import Node
from reme_benchmark.injection.agent.server import serve


def main() -> None:
    """Take over what is there, then serve.

    Faults stay when the agent is ended: its successor takes them over, and they end at their time.
    """
    token = os.environ.get("REME_FAULT_TOKEN", "")
    if len(token) < 16:
        sys.exit("REME_FAULT_TOKEN must be set to at least 16 characters")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    tree = Tree(Path(os.environ.get("REME_CGROUP_ROOT", "/sys/fs/cgroup")))
    node = Node(tree, os.environ.get("REME_FAULT_CLUSTER", "default"))
    node.resume()
    serve(node, token, int(os.environ.get("PORT", "8090")))


if __name__ == "__main__":
    main()
