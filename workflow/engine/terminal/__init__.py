"""What a person sees of a run: lines of what happened, trainings that move, the closing table."""
