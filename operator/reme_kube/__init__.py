"""What the operator talks to: the API server, the services that it measures, the lease."""
