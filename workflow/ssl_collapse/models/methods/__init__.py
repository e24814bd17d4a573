"""One module per method, named like its config module."""
