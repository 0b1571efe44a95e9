"""Cases and suites: which fault in which service of which system, drawn by a recorded seed."""
