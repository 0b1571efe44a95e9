"""Compiler."""
