"""Incidents that people reported publicly, rebuilt as small systems: model, player, verdicts."""
