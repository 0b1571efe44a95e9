"""Logs of containers: records, their severity, and the templates that they are made from."""
