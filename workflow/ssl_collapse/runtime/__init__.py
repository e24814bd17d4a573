"""What every job needs and no result depends on: errors, files, signals, GPUs. Carries."""
