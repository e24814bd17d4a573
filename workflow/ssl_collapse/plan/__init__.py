"""What each stage is given, where each result lies, and what the config contradicts. Carries."""
