"""What each errcode asks of us, as data (WeCom sheet §3.5).

A code is in the table when the sheet has it, also where only the AI bot, customer service or a group robot meets
it: the table is shared by all of WeCom's surfaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from adapters.values import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """*meaning* and *next_step* are for the operator; *retry_after* is the least wait that makes sense."""

    meaning: str
    next_step: str
    action: Action
    retry_after: timedelta | None = None


def _again(meaning: str, next_step: str, seconds: float | None = None) -> Rule:
    wait = None if seconds is None else timedelta(seconds=seconds)
    return Rule(meaning=meaning, next_step=next_step, action=Action.RETRY, retry_after=wait)


def _token(meaning: str, next_step: str = "nothing: a new token is fetched by itself") -> Rule:
    return Rule(meaning=meaning, next_step=next_step, action=Action.TOKEN)


def _final(meaning: str, next_step: str) -> Rule:
    return Rule(meaning=meaning, next_step=next_step, action=Action.GIVE_UP)


def _alarm(meaning: str, next_step: str) -> Rule:
    return Rule(meaning=meaning, next_step=next_step, action=Action.ALERT)


def _window(meaning: str, next_step: str) -> Rule:
    return Rule(meaning=meaning, next_step=next_step, action=Action.WINDOW)


def _other_way(meaning: str, next_step: str) -> Rule:
    return Rule(meaning=meaning, next_step=next_step, action=Action.REROUTE)


_BUG = "nothing for an operator: report it as a bug of Frontdesk"
_FREQUENCY = "wait: a minute, an hour or a day, after the limit hit; the console's 接口调用频率 tool can unblock it"
_MEMBERS = "check in the console that the member is in the app's 可见范围 (visible range)"
_NEW_CARD = "nothing: the card is spent, a new message is sent instead"
_SECRET = "copy the app's Secret from the console into `secret`"  # noqa: S105  where to find it

RULES: Mapping[int, Rule] = {
    -1: _again("system busy", "nothing: it passes", 1),
    40001: _token("credential wrong", f"if it comes back, {_SECRET}"),
    40014: _token("access token invalid"),
    41001: _token("access token missing"),
    42001: _token("access token expired"),
    40003: _final("user id invalid", _MEMBERS),
    40004: _final("media type invalid", "send text with a link instead"),
    40005: _final("file type invalid", "send text with a link instead"),
    40006: _final("file size invalid", "send text with a link instead"),
    40007: _final("media_id invalid or older than 3 days", "upload the file again"),
    40008: _final("message type invalid", _BUG),
    40013: _alarm("corp id invalid", "copy 企业ID from the console's 我的企业 page into `corp_id`"),
    40031: _final("user id list invalid", _MEMBERS),
    40032: _final("more than 1,000 user ids", _BUG),
    40033: _final("request holds \\uxxxx escapes", _BUG),
    40035: _final("parameter invalid", _BUG),
    40050: _final("chat id invalid", "check that the group still exists"),
    40056: _alarm("agent id invalid", "copy the app's AgentId from the console into `agent_id`"),
    40057: _alarm("callback URL check failed", "run `frontdesk check`, then save 设置API接收 in the console again"),
    40058: _final("parameter missing or malformed", _BUG),
    40063: _final("parameter empty", _BUG),
    40066: _alarm("no such API", "check `api_base`"),
    40091: _alarm("secret invalid", _SECRET),
    40096: _final("external user id invalid", "check that the customer belongs to this customer-service account"),
    41006: _final("media_id missing", _BUG),
    41011: _final("agent id missing", _BUG),
    41050: _final("welcome code expired (20 s)", "nothing: the customer is greeted next time"),
    **dict.fromkeys(range(42014, 42021), _final("template card or response code spent or unknown", _NEW_CARD)),
    43004: _final("the user does not follow the app", "ask the member to open the app once"),
    44001: _final("empty media", _BUG),
    44004: _final("empty text", _BUG),
    45001: _final("media too large", "send text with a link instead"),
    45002: Rule(meaning="content too long", next_step="nothing: it is split", action=Action.SPLIT),
    45007: _final("voice longer than 60 s", "send text instead"),
    45008: _final("more than 8 articles", _BUG),
    45009: _again("API called too often", _FREQUENCY, 60),
    45033: _again("too many calls at the same time", "nothing: it passes; fewer workers if it stays", 3),
    48002: _alarm("this app may not call this API", "give the app this permission in the console"),
    48004: _alarm("authorisation invalid", "authorise the app again in the console"),
    48006: _alarm("authorisation scope insufficient", "authorise the app again in the console"),
    50001: _alarm("redirect domain not trusted", "set the app's trusted domain (可信域名) in the console"),
    50002: _final("user outside the app's privileges", _MEMBERS),
    50003: _alarm("app disabled", "enable the app in the console"),
    60011: _alarm("no right on this user, party or tag", _MEMBERS),
    60020: Rule(
        meaning="caller's IP address not trusted",
        next_step="add it to the app's 企业可信IP in the console, then redrive",
        action=Action.ALERT,
        retry_after=timedelta(minutes=5),
    ),
    60021: _final("user not in the app's visible range", _MEMBERS),
    60111: _final("user id does not exist", "nothing: the member has left the company"),
    81012: _final("no permission for this party", _MEMBERS),
    81013: _final("every receiver is invalid or out of range", _MEMBERS),
    82001: _final("no receiver", _BUG),
    82002: _final("more than 100 parties", _BUG),
    82003: _final("more than 100 tags", _BUG),
    **dict.fromkeys(range(86001, 86225), _final("group chat error", "check that the group and its members exist")),
    86003: _final("the group chat does not exist", "nothing: it was dissolved"),
    90207: _final("mini program not bound", "bind the mini program's appid to the company in the console"),
    93000: _alarm("webhook URL wrong or robot removed", "copy the robot's webhook key from the group anew"),
    93004: _alarm("robot disabled", "enable the robot in the group's settings"),
    301002: _alarm("agent id and secret belong to different apps", "copy both from the same app's page"),
    830002: _final("file over 20 MB must be fetched in ranges", _BUG),
    95000: _alarm("open_kfid invalid", "copy the customer-service account's id into `open_kfid`"),
    95001: _window("5 messages since the customer's last", "wait until the customer writes"),
    95002: _window("48 hours since the customer's last message", "wait until the customer writes"),
    95003: _alarm("customer quota of an unverified company used up", "verify the company in the console"),
    95007: _again("sync token invalid or expired", "nothing: messages are pulled once without it"),
    95011: _alarm("account used inside WeCom, not by API", "list it under 通过API管理微信客服账号 in the console"),
    95013: _window("the session has ended", "wait until the customer writes"),
    95014: _other_way("the servicer does not accept sessions", "choose another servicer or the waiting pool"),
    95017: _alarm("API switch of customer service off", "switch it on under 微信客服 in the console"),
    95018: _window("a human serves this session, or it has ended", "nothing: the bot stays silent"),
    95021: _final("upgrade service not configured", "configure it under 微信客服 in the console"),
    846601: _again("long connection: temporary", "nothing: it passes"),
    846602: _again("long connection: temporary", "nothing: it passes"),
    846605: _other_way("long connection: request id unknown", "nothing: sent as a message of its own"),
    846608: _other_way("long connection: stream over 6 minutes old", "nothing: sent as a message of its own"),
    846609: _again("long connection: not subscribed", "nothing: it subscribes again"),
    853006: _final("long connection: tool unavailable", "look the code up: its meaning is not documented"),
}

GETTOKEN_RULES: Mapping[int, Rule] = {
    40001: _alarm("secret wrong", _SECRET),
    41004: _alarm("secret missing", _SECRET),
    41002: _alarm("corp id missing", "copy 企业ID from the console's 我的企业 page into `corp_id`"),
}
"""Where gettoken means something else: there is no token to replace."""


def unknown_code(code: int) -> Rule:
    """A code that the table does not have: surely refused, and somebody must look it up."""
    return _alarm("undocumented code", f"look it up at https://open.work.weixin.qq.com/devtool/query?e={code}")
