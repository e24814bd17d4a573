"""What a result was made from, and whether it is what today's plan would make. Carries."""
