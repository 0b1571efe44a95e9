"""The cluster around one target, read through the API server."""
