"""What is played and how: scores from grooves and patterns, and human timing."""
