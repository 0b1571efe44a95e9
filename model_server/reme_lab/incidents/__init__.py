"""Synthetic incidents: what the model is trained on, rendered as the operator renders real ones."""
