"""Reme lab."""
