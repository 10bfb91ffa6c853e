"""Platform translation only: verify, parse, answer, send. Knows no Flask, no Redis, no model."""
