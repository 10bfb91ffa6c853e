"""Business actions: what a model may ask for, what is checked before, and what it is told after.

`tool` (the values) · `schema` (arguments are checked again) · `template` (where arguments and the identity go) ·
`http` and `python` (the two kinds) · `reminder` (built in) · `confirm` (ask the customer first) · `loop` (rounds).
"""
