"""The operator's process: start, leader election, background tasks, shutdown."""
