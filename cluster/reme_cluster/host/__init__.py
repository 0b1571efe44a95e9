"""A cluster on this host alone: Kubernetes built from its Go modules, nodes in namespaces."""
