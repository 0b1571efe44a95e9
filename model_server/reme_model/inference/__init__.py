"""The model client: requests, replies, and the errors of the model server."""
