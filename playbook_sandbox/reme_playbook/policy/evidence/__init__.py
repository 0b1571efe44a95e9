"""What the snapshot of a target shows, and the rules about actions that follow from it."""
