"""Whether DingTalk sent a callback (DingTalk sheet §1.2, §1.6)."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta

from adapters.dingtalk.settings import DingTalkSettings
from adapters.errors import Unverified
from adapters.signing import any_same, hmac_sha256, secrets

LONGEST_TIMESTAMP = 16
"""Digits. Milliseconds have 13 until the year 2286; endless ones cost time to convert."""


def sign(timestamp: str, secret: str) -> str:
    """The `sign` header: raw base64. (The custom robot's URL parameter is the same, but percent-encoded.)"""
    return b64encode(hmac_sha256(secret, f"{timestamp}\n{secret}".encode("utf-8", "surrogateescape"))).decode()


def verify(headers: Mapping[str, str], settings: DingTalkSettings, now: datetime) -> None:
    """Raises :class:`~adapters.errors.Unverified`. The body is covered by nothing but TLS."""
    tokens = secrets(settings.outgoing_token, settings.outgoing_token_previous)
    if tokens and "sign" not in headers:
        if not any_same(tokens, headers.get("token", "")):
            raise Unverified("the token header is absent or not outgoing_token")
        return
    timestamp = _number(headers.get("timestamp", ""))
    valid = secrets(settings.client_secret, settings.client_secret_previous)
    if not any_same([sign(timestamp, secret) for secret in valid], headers.get("sign", "")):
        raise Unverified("the sign header is absent or not made with client_secret")
    _check_age(timestamp, settings, now)


def verify_card(headers: Mapping[str, str], settings: DingTalkSettings, now: datetime) -> None:
    """For card callbacks (§3.3). DingTalk signs them only if a secret was registered, so an absent header is no
    excuse. No window is documented; ours is that of the other callbacks, since the body is not covered here
    either. Raises as :func:`verify`."""
    timestamp = _number(headers.get("x-ddpaas-signature-timestamp", ""))
    valid = secrets(settings.card_secret, settings.card_secret_previous)
    made = [b64encode(hmac_sha256(secret, timestamp.encode())).decode() for secret in valid]
    if not any_same(made, headers.get("x-ddpaas-signature", "")):
        raise Unverified("the x-ddpaas-signature header is absent or not made with card_secret")
    _check_age(timestamp, settings, now)


def _number(timestamp: str) -> str:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= LONGEST_TIMESTAMP):
        raise Unverified("the timestamp header is absent or no number")
    return timestamp


def _check_age(timestamp: str, settings: DingTalkSettings, now: datetime) -> None:
    age = timedelta(milliseconds=int(now.timestamp() * 1000) - int(timestamp))
    if abs(age) > settings.signature_window:
        raise Unverified("the timestamp is outside signature_window: a replay, or a clock that is wrong")
