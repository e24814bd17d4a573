"""One module per backbone family. Decides results."""
