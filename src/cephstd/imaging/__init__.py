"""Pure image operations: one function per step."""
