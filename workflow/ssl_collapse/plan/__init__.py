"""What each stage is given, which results there are, what the config contradicts. Carries."""
