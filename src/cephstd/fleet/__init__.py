"""One view across sites: shares, distributions, drift and corrections compared, and findings ranked; from tables."""
