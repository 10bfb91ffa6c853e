"""The platforms, played locally: fakes that verify a bot as the real ones do, and a page to chat by hand.

Nothing here imports the adapters: a mistake shared by both sides would cancel out.
"""
