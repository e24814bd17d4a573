"""One module per kind of figure, captions, and the report. Decides results."""
