"""Values of the configuration and their validation. Carries."""
