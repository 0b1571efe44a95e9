"""The fault agent; settings: REME_FAULT_TOKEN, REME_FAULT_CLUSTER, REME_CGROUP_ROOT, PORT."""

import os
import signal
import sys
from pathlib import Path

from reme_benchmark.injection.agent.cgroups import Tree
from reme_benchmark.injection.agent.node import NodeAgent
from reme_benchmark.injection.agent.server import serve


def main() -> None:
    """Take over existing faults, then serve.

    Faults outlive the agent: the next agent takes them over, and they end at their time.
    """
    token = os.environ.get("REME_FAULT_TOKEN", "")
    if len(token) < 16:
        sys.exit("REME_FAULT_TOKEN must be set to at least 16 characters")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    tree = Tree(Path(os.environ.get("REME_CGROUP_ROOT", "/sys/fs/cgroup")))
    node = NodeAgent(tree, os.environ.get("REME_FAULT_CLUSTER", "default"))
    node.resume()
    serve(node, token, int(os.environ.get("PORT", "8090")))


if __name__ == "__main__":
    main()
