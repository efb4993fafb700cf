"""The take that ships with the effect."""
