"""The lab: networks, losses, training, export and comparison."""
