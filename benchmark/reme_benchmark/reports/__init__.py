"""Results: versioned records of what was run and seen, and what is made of them."""
