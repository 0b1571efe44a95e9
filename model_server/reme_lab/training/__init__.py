"""Trains the adapter: supervised on incidents, then by reinforcement with simulated rewards."""
