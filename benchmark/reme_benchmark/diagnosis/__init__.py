"""Diagnosis reports that a real tool could have written, from what the live system shows."""
