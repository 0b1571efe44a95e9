"""Faults in running containers: an agent on each node, and the runner's side that commands it."""
