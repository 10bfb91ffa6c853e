"""The faults' tests play in the acceptance tests' town."""

from tests.acceptance.conftest import town

__all__ = ["town"]
