"""Images: where they come from, how they are read, described and packed. Decides results."""
