"""Commands: the benchmark, the demonstration, the timings."""
