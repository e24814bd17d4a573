"""One module per method. Decides results."""
