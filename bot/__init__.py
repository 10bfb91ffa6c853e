"""The composition: web edge, turn, worker, configuration, command line, sandbox."""
