"""One module per backbone family, named like its config module."""
