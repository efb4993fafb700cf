"""What all tests share: Hypothesis draws the same examples on every machine, and no slow machine fails a test."""

from hypothesis import settings

settings.register_profile("stable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("stable")
