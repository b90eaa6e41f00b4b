"""Side by side with the peers: speed, memory, precision and growth, measured on the user's own machine."""
