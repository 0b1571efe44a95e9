"""The investigation of method ThinkRemed: what is read, and who chooses it."""
