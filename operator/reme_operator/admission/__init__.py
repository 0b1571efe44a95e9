"""Admission: which reports become remediations, when, and under which policy."""
