"""`kubectl reme`: what people see of a repair, and how they decide about it."""
