"""Label-free measures of collapse: each a pure function with the entry that says all of it."""
