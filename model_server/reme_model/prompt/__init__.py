"""The prompt: the incident as text, the possible actions, and the schema of the reply. Pure."""
