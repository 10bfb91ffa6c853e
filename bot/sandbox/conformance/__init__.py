"""Does a bot stand what the platforms do to bots? Journeys through a running one, and a table of what was seen."""
