"""Probes: HTTP, TCP, gRPC health, rollout and resource usage."""
