"""reme as it is installed, asked through the API; a scripted model says what a test wants."""

from tests.e2e.path.conftest import installed, scripted

__all__ = ["installed", "scripted"]
