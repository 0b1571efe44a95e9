"""What kopf calls: each handler translates an event, and nothing else is decided here."""
