"""Networks that write the aligned audio themselves, and what trains them."""
