"""WeCom's API as a scripted fake, and replies to send to it."""

import threading
from collections.abc import Mapping
from typing import Any

from adapters.values import (
    ConversationId,
    Outcome,
    Part,
    Refused,
    Reply,
)
from tests.adapters.wecom_platform import ACCESS_TOKEN, CORP
from tests.fakes import Answer, Call, RecordingServer, json_answer

SEND = "/cgi-bin/message/send"


class Platform:
    """Hands out numbered tokens and refuses those in `revoked`; first it takes what waits in `answers`, by path."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.tokens = 0
        self.revoked: set[str] = set()
        self._guard = threading.Lock()

    def __call__(self, call: Call) -> Answer:
        with self._guard:
            if waiting := self.answers.get(call.path):
                return waiting.pop(0)
            if call.path == "/cgi-bin/gettoken":
                self.tokens += 1
                return json_answer(
                    {"errcode": 0, "access_token": f"{ACCESS_TOKEN}-{self.tokens}", "expires_in": 7200}
                )
        if call.query.get("access_token") in self.revoked:
            return error(42001, "access_token expired")
        return json_answer({"errcode": 0, "errmsg": "ok", "msgid": "MSGID1", "close": 0, "ip_list": []})

    def will(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)


def error(code: object, errmsg: str = "no", **more: object) -> Answer:
    return json_answer({"errcode": code, "errmsg": errmsg, **more})


def reply(*parts: Part | str, to: str = "zhangsan", route: Mapping[str, str] | None = None) -> Reply:
    return Reply(
        key="k" * 32,
        conversation=ConversationId(channel="staff", account=CORP, peer=to),
        parts=tuple(part if isinstance(part, Part) else Part(text=part) for part in parts),
        route=route or {},
    )


def sent(server: RecordingServer) -> list[Any]:
    return [call.json for call in server.calls if call.path == SEND]


def paths(server: RecordingServer) -> list[str]:
    return [call.path.removeprefix("/cgi-bin/") for call in server.calls]


def refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome
