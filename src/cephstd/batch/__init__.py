"""Archives of films: planned, worked through by many processes, kept as records and tables."""
