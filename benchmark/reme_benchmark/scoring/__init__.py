"""What was, what is, and whether a fault is really gone: measured from outside."""
