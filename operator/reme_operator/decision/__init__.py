"""What happens next to a remediation, and what its conditions say. Everything here is pure."""
