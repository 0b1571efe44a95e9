"""Scenarios: systems, faults and cases, as data."""
