"""Probes: HTTP, TCP, rollout and resource usage."""
