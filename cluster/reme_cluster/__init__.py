"""A real Kubernetes cluster on one command: kind where Docker is, built on this host where not."""
