"""A run of the benchmark: systems up, case after case, everything put back, results kept."""
