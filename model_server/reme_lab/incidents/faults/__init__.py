"""Ways in which a system breaks, or only seems to: each makes one incident of a healthy system."""
