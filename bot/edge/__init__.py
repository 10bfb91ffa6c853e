"""The web edge: webhooks in, and nothing but safe ones acknowledged."""
