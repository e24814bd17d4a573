"""One module per backbone family: the model of its config keys. Carries."""
