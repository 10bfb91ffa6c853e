"""State: inbox, conversation, outbox, tokens, limits. The only package that speaks Redis."""
