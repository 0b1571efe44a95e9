"""The laboratory: simulator, synthetic incidents, training, fidelity. Never part of an image."""
