"""What a decision does: one function per kind of decision, each safe to be done twice."""
