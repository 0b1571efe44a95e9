"""Kill switch."""
