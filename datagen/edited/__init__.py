"""What an engineer did to a take: shifts, cut points and stretches, recovered from the audio before and after."""
