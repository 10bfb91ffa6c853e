"""What a reply needs to find its way, as it lies in a message's flat `route`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

SINGLE = "1"
GROUP = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """*conversation* is the `openConversationId` of the APIs; *staff* the customer's user id, "" for a guest of
    whom DingTalk names none; *webhook* is open until *webhook_expires*, if there is one."""

    group: bool
    conversation: str
    staff: str
    nick: str = ""
    webhook: str = ""
    webhook_expires: datetime | None = None

    @classmethod
    def of(cls, route: Mapping[str, str]) -> Self:
        expires = route.get("webhook_expires", "")
        return cls(
            group=route.get("type") == GROUP,
            conversation=route.get("conversation", ""),
            staff=route.get("staff", ""),
            nick=route.get("nick", ""),
            webhook=route.get("webhook", ""),
            webhook_expires=datetime.fromisoformat(expires) if expires else None,
        )

    @property
    def by_api(self) -> bool:
        """Whether the OpenAPI can reach the customer."""
        return bool(self.conversation if self.group else self.staff)
