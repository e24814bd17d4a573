"""From what the user wrote to a validated experiment, or one message with every error. Carries."""
