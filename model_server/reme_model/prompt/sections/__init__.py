"""Sections of the incident's description, one module per topic."""
