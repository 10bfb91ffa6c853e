"""From a ticket to a sent reply: the worker and its turns."""
