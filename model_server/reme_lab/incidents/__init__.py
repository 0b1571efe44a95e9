"""Synthetic incidents to train the model on, with the prompt that the operator would send."""
