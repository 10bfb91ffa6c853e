"""What all simulated platforms share: a server, a clock, a journal, faults, and webhooks that come again."""
