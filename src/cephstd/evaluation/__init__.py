"""How well landmarks agree with labels: datasets described by a TOML file, and scores with their uncertainty."""
