"""Builds and starts the model server of the image."""
