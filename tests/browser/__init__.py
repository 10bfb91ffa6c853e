"""The sandbox's page in a real browser, against a real Frontdesk."""
