"""One module per method: the model of its config keys. Carries."""
