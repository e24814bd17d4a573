"""The training loop, optimisers, schedules."""
