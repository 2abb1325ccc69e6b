"""The command ``cephstd``: parse, call one verb, render."""
