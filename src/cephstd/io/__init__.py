"""Bytes in, films out: what a file is, what it may cost, what it says about scale and device."""
