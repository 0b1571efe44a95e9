"""Metrics, health, logs and the duration of steps."""
