"""Align recorded drum takes to the grid, all microphones phase-locked, every attack intact."""

__version__ = "0.1.0"
