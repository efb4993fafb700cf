"""What is in a dataset, for people: pictures, listening mixes and statistics."""
