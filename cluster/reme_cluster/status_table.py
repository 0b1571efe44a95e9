"""Writes a cluster's status as text for people."""

from reme_cluster.provider import Status


def table(status: Status) -> str:
    """Return the status as aligned lines."""
    word = "running" if status.running else "not running"
    lines = [f"cluster {status.name} ({status.provider}): {word}"]
    lines.append(f"  state       {status.state_dir}")
    lines.append(f"  kubeconfig  {status.kubeconfig or '-'}")
    lines += [f"  {key:<11} {value}" for key, value in status.network.items()]
    for node in status.nodes:
        ready = "ready" if node.ready else "NOT READY"
        lines.append(f"node {node.name:<20} {node.address:<16} {ready}")
    for component in status.components:
        alive = f"pid {component.pid}" if component.running else "DEAD"
        lines.append(f"  {component.node:<14} {component.name:<24} {alive}")
    if status.versions:
        pairs = ", ".join(f"{name} {version}" for name, version in status.versions.items())
        lines.append(f"versions: {pairs}")
    return "\n".join(lines)
