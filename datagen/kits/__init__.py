"""Kits: the strikes that the generator plays, loaded from folders and SFZ files, merged, or synthesised."""
