"""Load and latency, measured against the table in the README: `make bench`."""
