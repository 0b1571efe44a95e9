"""The benchmark's access to the cluster."""
