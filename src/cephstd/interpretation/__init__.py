"""What values mean beside norms and rules that a person chose: comparisons, classes, findings."""
