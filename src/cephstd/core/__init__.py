"""Values that flow through the stages; no input or output, no clinical knowledge."""
