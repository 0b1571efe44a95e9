"""Faults: each adds a fault to a healthy system, or a report about a fault that does not exist."""
