"""Three systems of services to break and repair: what they are, as objects, and brought up."""
