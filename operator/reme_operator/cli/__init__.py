"""`kubectl reme`: shows remediations, decides about them, explains policies."""
