"""The demonstration and the measurements: everything that uses reme from outside."""
