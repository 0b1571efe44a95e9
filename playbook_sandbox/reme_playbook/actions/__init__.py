"""Actions: one class per action, with everything about it."""
