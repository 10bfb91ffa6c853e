"""What each errcode asks of us, as data (WeCom sheet §3.5).

A code is in the table when the sheet has it, also where only the AI bot, customer service or a group robot meets
it: the table is shared by all of WeCom's surfaces.
"""

from collections.abc import Mapping
from datetime import timedelta

from adapters.rules import Rule, alert, give_up, halt
from adapters.values import Action


def _again(meaning: str, next_step: str, seconds: float | None = None) -> Rule:
    wait = None if seconds is None else timedelta(seconds=seconds)
    return Rule(meaning=meaning, next_step=next_step, action=Action.RETRY, wait=wait)


def _token(meaning: str, next_step: str = "nothing: a new token is fetched by itself") -> Rule:
    return Rule(meaning=meaning, next_step=next_step, action=Action.TOKEN)


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
    40003: give_up("user id invalid", _MEMBERS),
    40004: give_up("media type invalid", "send text with a link instead"),
    40005: give_up("file type invalid", "send text with a link instead"),
    40006: give_up("file size invalid", "send text with a link instead"),
    40007: give_up("media_id invalid or older than 3 days", "upload the file again"),
    40008: give_up("message type invalid", _BUG),
    40013: halt("corp id invalid", "copy 企业ID from the console's 我的企业 page into `corp_id`"),
    40031: give_up("user id list invalid", _MEMBERS),
    40032: give_up("more than 1,000 user ids", _BUG),
    40033: give_up("request holds \\uxxxx escapes", _BUG),
    40035: give_up("parameter invalid", _BUG),
    40050: give_up("chat id invalid", "check that the group still exists"),
    40056: halt("agent id invalid", "copy the app's AgentId from the console into `agent_id`"),
    40057: alert("callback URL check failed", "run `frontdesk check`, then save 设置API接收 in the console again"),
    40058: give_up("parameter missing or malformed", _BUG),
    40063: give_up("parameter empty", _BUG),
    40066: alert("no such API", "check `api_base`"),
    40091: halt("secret invalid", _SECRET),
    40096: give_up("external user id invalid", "check that the customer belongs to this customer-service account"),
    41006: give_up("media_id missing", _BUG),
    41011: give_up("agent id missing", _BUG),
    41050: give_up("welcome code expired (20 s)", "nothing: the customer is greeted next time"),
    **dict.fromkeys(range(42014, 42021), give_up("template card or response code spent or unknown", _NEW_CARD)),
    43004: give_up("the user does not follow the app", "ask the member to open the app once"),
    44001: give_up("empty media", _BUG),
    44004: give_up("empty text", _BUG),
    45001: give_up("media too large", "send text with a link instead"),
    45002: Rule(meaning="content too long", next_step="nothing: it is split", action=Action.SPLIT),
    45007: give_up("voice longer than 60 s", "send text instead"),
    45008: give_up("more than 8 articles", _BUG),
    45009: _again("API called too often", _FREQUENCY, 60),
    45033: _again("too many calls at the same time", "nothing: it passes; fewer workers if it stays", 3),
    48002: halt("this app may not call this API", "give the app this permission in the console"),
    48004: halt("authorisation invalid", "authorise the app again in the console"),
    48006: halt("authorisation scope insufficient", "authorise the app again in the console"),
    50001: alert("redirect domain not trusted", "set the app's trusted domain (可信域名) in the console"),
    50002: give_up("user outside the app's privileges", _MEMBERS),
    50003: halt("app disabled", "enable the app in the console"),
    60011: alert("no right on this user, party or tag", _MEMBERS),
    60020: Rule(
        meaning="caller's IP address not trusted",
        next_step="add it to the app's 企业可信IP in the console, then redrive",
        action=Action.ALERT,
        wait=timedelta(minutes=5),
        account=True,
    ),
    60021: give_up("user not in the app's visible range", _MEMBERS),
    60111: give_up("user id does not exist", "nothing: the member has left the company"),
    81012: give_up("no permission for this party", _MEMBERS),
    81013: give_up("every receiver is invalid or out of range", _MEMBERS),
    82001: give_up("no receiver", _BUG),
    82002: give_up("more than 100 parties", _BUG),
    82003: give_up("more than 100 tags", _BUG),
    **dict.fromkeys(range(86001, 86225), give_up("group chat error", "check that the group and its members exist")),
    86003: give_up("the group chat does not exist", "nothing: it was dissolved"),
    90207: give_up("mini program not bound", "bind the mini program's appid to the company in the console"),
    93000: alert("webhook URL wrong or robot removed", "copy the robot's webhook key from the group anew"),
    93004: alert("robot disabled", "enable the robot in the group's settings"),
    301002: halt("agent id and secret belong to different apps", "copy both from the same app's page"),
    830002: give_up("file over 20 MB must be fetched in ranges", _BUG),
    95000: halt("open_kfid invalid", "copy the customer-service account's id into `open_kfid`"),
    95001: _window("5 messages since the customer's last", "wait until the customer writes"),
    95002: _window("48 hours since the customer's last message", "wait until the customer writes"),
    95003: halt("customer quota of an unverified company used up", "verify the company in the console"),
    95007: _again("sync token invalid or expired", "nothing: messages are pulled once without it"),
    95011: halt("account used inside WeCom, not by API", "list it under 通过API管理微信客服账号 in the console"),
    95013: _window("the session has ended", "wait until the customer writes"),
    95014: _other_way("the servicer does not accept sessions", "choose another servicer or the waiting pool"),
    95017: halt("API switch of customer service off", "switch it on under 微信客服 in the console"),
    95018: _window("a human serves this session, or it has ended", "nothing: the bot stays silent"),
    95021: give_up("upgrade service not configured", "configure it under 微信客服 in the console"),
    846601: _again("long connection: temporary", "nothing: it passes"),
    846602: _again("long connection: temporary", "nothing: it passes"),
    846605: _other_way("long connection: request id unknown", "nothing: sent as a message of its own"),
    846608: _other_way("long connection: stream over 6 minutes old", "nothing: sent as a message of its own"),
    846609: _again("long connection: not subscribed", "nothing: it subscribes again"),
    853006: give_up("long connection: tool unavailable", "look the code up: its meaning is not documented"),
}

GETTOKEN_RULES: Mapping[int, Rule] = {
    40001: halt("secret wrong", _SECRET),
    41004: halt("secret missing", _SECRET),
    41002: halt("corp id missing", "copy 企业ID from the console's 我的企业 page into `corp_id`"),
}
"""Where gettoken means something else: there is no token to replace."""


def unknown_code(code: int) -> Rule:
    """A code that the table does not have: surely refused, and somebody must look it up."""
    return alert("undocumented code", f"look it up at https://open.work.weixin.qq.com/devtool/query?e={code}")
