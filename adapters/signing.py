"""The one place where secrets are compared, always in constant time and always as bytes."""

import hashlib
import hmac
from collections.abc import Iterable

from pydantic import SecretStr


def same(expected: str | bytes, given: str | bytes) -> bool:
    """Whether both are equal; text is compared as UTF-8, so that no header can raise (a non-ASCII `str`
    would). Nothing equals an empty *expected*."""
    left = expected.encode("utf-8", "surrogatepass") if isinstance(expected, str) else expected
    right = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    return bool(left) and hmac.compare_digest(left, right)


def hmac_sha256(key: str | bytes, message: bytes) -> bytes:
    return hmac.digest(key.encode() if isinstance(key, str) else key, message, hashlib.sha256)


def secrets(*current_and_previous: SecretStr | None) -> tuple[str, ...]:
    """The secrets that are valid now, newest first; unset and empty ones are left out."""
    return tuple(found for each in current_and_previous if each and (found := each.get_secret_value()))


def any_same(expected: Iterable[str | bytes], given: str | bytes) -> bool:
    """Whether *given* equals one of *expected*; looks at all of them, whichever fits."""
    found = [same(each, given) for each in expected]
    return any(found)
