"""A small service with its load generator and a scripted model; standard library alone."""
