"""The model: prompt, client and server."""
