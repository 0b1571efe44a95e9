"""Inspections: typed, read-only questions about the cluster around one target."""
