"""The handlers that kopf calls: each translates an event, and decides nothing by itself."""
