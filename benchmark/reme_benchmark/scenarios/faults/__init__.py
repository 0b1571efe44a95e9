"""Faults as data: how each is brought about, known from outside, reported, and repaired well."""
