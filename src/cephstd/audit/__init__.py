"""Records: how one is made, and how anybody checks it without this machine, a database or a network."""
