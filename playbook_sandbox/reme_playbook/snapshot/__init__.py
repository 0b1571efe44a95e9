"""Views of cluster objects: snapshot, quantities, list keys, object diff."""
