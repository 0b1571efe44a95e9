"""The kill switch: a ConfigMap that stops every new write while it exists."""
