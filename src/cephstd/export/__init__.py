"""Records, points and values in the formats of others."""
