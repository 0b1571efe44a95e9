"""Trains the adapter: supervised on traces, then by reinforcement in the simulator."""
