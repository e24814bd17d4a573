"""One tidy row per run, seed and epoch, and what its columns mean. Decides results."""
