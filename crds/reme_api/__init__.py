"""What reme repairs and how: the Kubernetes API types, group reme.dev/v1alpha1."""
