"""WeChat customer service as a fake: a queue of items, sessions with states, and messages known by their msgid."""

import threading
from collections.abc import Sequence
from typing import Any

from adapters.channel import Services
from adapters.values import (
    NOTICE,
    ConversationId,
    Message,
    Outcome,
    Page,
    Part,
    Refused,
    Reply,
)
from adapters.wecom_kf import WeComKf, WeComKfSettings
from tests.adapters.wecom_app import services
from tests.adapters.wecom_platform import ACCESS_TOKEN, CORP, KEY, NOW, SECRET, TOKEN
from tests.fakes import Answer, Call, RecordingServer, json_answer

KFID = "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
CUSTOMER = "wmAJ2GCAAAme1XQRC-NI-q0_ZM9ukoAw"
TICKET = "ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR"
SETTINGS: dict[str, Any] = {
    "platform": "wecom-kf",
    "corp_id": CORP,
    "secret": SECRET,
    "token": TOKEN,
    "encoding_aes_key": KEY,
    "open_kfid": KFID,
}
KF = "/cgi-bin/kf/"
SYNC, SEND, GREET = f"{KF}sync_msg", f"{KF}send_msg", f"{KF}send_msg_on_event"
STATE, TRANS = f"{KF}service_state/get", f"{KF}service_state/trans"


class KfPlatform:
    """Takes what waits in `answers` first, by path. `strict`: a page needs the current token."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.page = 1000
        self.states: dict[str, int] = {}
        self.sent: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.bad_tokens: set[str] = set()
        self.accounts: list[dict[str, Any]] = [{"open_kfid": KFID, "name": "shop"}]
        self.servicers: list[dict[str, Any]] = [{"userid": "lisi", "status": 0}]
        self._guard = threading.Lock()

    def __call__(self, call: Call) -> Answer:
        with self._guard:
            if waiting := self.answers.get(call.path):
                return waiting.pop(0)
            answer = {
                "/cgi-bin/gettoken": self._token,
                SYNC: self._sync,
                SEND: self._send,
                STATE: self._state,
                TRANS: self._trans,
                f"{KF}account/list": self._accounts,
                f"{KF}servicer/list": self._servicers,
            }.get(call.path, self._well)
            return json_answer({"errcode": 0, "errmsg": "ok", **answer(call)})

    def will(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def _well(self, call: Call) -> dict[str, Any]:
        return {"media_id": "MEDIA1", "ip_list": []}

    def _token(self, call: Call) -> dict[str, Any]:
        return {"access_token": ACCESS_TOKEN, "expires_in": 7200}

    def _sync(self, call: Call) -> dict[str, Any]:
        asked = call.json
        if asked.get("token", "") in self.bad_tokens:
            return {"errcode": 95007, "errmsg": "invalid msg token"}
        first = int(asked.get("cursor", "c0")[1:])
        last = min(first + min(self.page, asked["limit"]), len(self.items))
        return {
            "next_cursor": f"c{last}",
            "has_more": int(last < len(self.items)),
            "msg_list": self.items[first:last],
        }

    def _send(self, call: Call) -> dict[str, Any]:
        body = call.json
        if body["msgid"] in self.sent:
            return {"errcode": 95099, "errmsg": "msgid duplicated, hint: [1], from ip: 203.0.113.9"}
        if self.states.get(body["touser"], 0) not in (0, 1):
            return {"errcode": 95018, "errmsg": "send msg session status invalid"}
        self.sent[body["msgid"]] = body
        return {"msgid": body["msgid"]}

    def _state(self, call: Call) -> dict[str, Any]:
        return {"service_state": self.states.get(call.json["external_userid"], 0)}

    def _trans(self, call: Call) -> dict[str, Any]:
        self.states[call.json["external_userid"]] = call.json["service_state"]
        return {"msg_code": "MSG_CODE"}

    def _accounts(self, call: Call) -> dict[str, Any]:
        first = call.json["offset"]
        return {"account_list": self.accounts[first : first + call.json["limit"]]}

    def _servicers(self, call: Call) -> dict[str, Any]:
        return {"servicer_list": self.servicers}

    # ---- what happens at the customer's end ----

    def says(self, text: str = "hello", *, message_id: str = "m_1", user: str = CUSTOMER, **more: Any) -> None:
        self.gets({"msgtype": "text", "text": {"content": text}}, message_id=message_id, user=user, **more)

    def gets(self, body: dict[str, Any], *, message_id: str = "m_1", user: str = CUSTOMER, **more: Any) -> None:
        self.items.append(
            {
                "msgid": message_id,
                "open_kfid": KFID,
                "external_userid": user,
                "send_time": int(NOW.timestamp()),
                "origin": 3,
                **body,
                **more,
            }
        )

    def happens(self, event_type: str, *, age: int = 0, **fields: Any) -> None:
        """An event, whose ids are inside it."""
        event = {"event_type": event_type, "open_kfid": KFID, "external_userid": CUSTOMER, **fields}
        self.items.append(
            {
                "msgid": f"ev_{len(self.items)}",
                "send_time": int(NOW.timestamp()) - age,
                "origin": 4,
                "msgtype": "event",
                "event": event,
            }
        )


def account(url: str, *, lent: Services | None = None, **overrides: Any) -> WeComKf:
    settings = WeComKfSettings(**{**SETTINGS, "api_base": url, **overrides})
    return WeComKf("shop", settings, lent or services())


def notice(**route: str) -> Message:
    return Message(
        id="notice:1",
        conversation=ConversationId(channel="shop", account=KFID, peer="~notices"),
        sender="~notices",
        text="",
        sent_at=NOW,
        kind=NOTICE,
        route=route or {"token": TICKET},
    )


def pages(channel: WeComKf, bookmark: str = "") -> list[Page]:
    """As the worker asks: until there is no more."""
    found: list[Page] = []
    while not found or found[-1].more:
        assert len(found) < 50
        found.append(channel.pull(notice(), found[-1].cursor if found else bookmark))
    return found


def reply(*parts: Part | str, last: str = "m_1", key: str = "0123456789abcdef" * 2) -> Reply:
    return Reply(
        key=key,
        conversation=ConversationId(channel="shop", account=KFID, peer=CUSTOMER),
        parts=tuple(part if isinstance(part, Part) else Part(text=part) for part in parts),
        route={"last": last},
    )


def calls(server: RecordingServer, path: str) -> Sequence[Any]:
    return [call.json for call in server.calls if call.path == path]


def refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome
