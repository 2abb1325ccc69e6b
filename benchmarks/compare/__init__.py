"""The same measurements by other means, written as well as their means allow; what the kernel is compared with."""
