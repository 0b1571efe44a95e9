"""Builds the container images that changed, and only those; nothing of it is in any image."""
