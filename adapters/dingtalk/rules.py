"""DingTalk's error codes, and what each asks of us (DingTalk sheet §2.6), as data. How often what may pass is tried
again is in :mod:`adapters.dingtalk.paces`.

The OpenAPI answers with words and a 4xx or 5xx; the older API and the webhooks with numbers inside an HTTP 200.
"""

from datetime import timedelta

from adapters.rules import Rule, alert, give_up, halt
from adapters.values import Action

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
CONSOLE = "DingTalk's developer console (open-dev.dingtalk.com)"


REST = 5 * MINUTE


def _retry(meaning: str, wait: timedelta | None = None, next_step: str = "") -> Rule:
    return Rule(action=Action.RETRY, meaning=meaning, wait=wait, next_step=next_step)


PUNISHED = Rule(
    action=Action.RETRY,
    meaning="more than 10,000 calls in 20 s came from this IP address",
    next_step="all calls rest for five minutes; see what else calls DingTalk from this address",
    wait=REST,
    account=True,
)
SECRET = halt("the client id or secret is wrong", f"compare client_id and client_secret with {CONSOLE}")
TOKEN = Rule(action=Action.TOKEN, meaning="the access token is no longer valid")
SCOPE = halt("the app lacks a permission", f"grant it in {CONSOLE} under permissions, then publish the app")
IP = halt("this server's IP address is not allowed", f"add its outgoing address to the app's IP list in {CONSOLE}")
QUOTA = halt("the month's API calls are used up", "buy calls or wait for the first of the month")
TOO_LONG = Rule(action=Action.SPLIT, meaning="the message is too long")
CLOSED = Rule(action=Action.REROUTE, meaning="the session webhook is closed")
TOO_FAST = _retry("the robot sends too fast", SECOND)
ROBOT = give_up("the robot does not exist or is not in this group", "set robot_code to the robot's code")
STAFF = give_up("the receiver is not a member of the organisation", "answer by hand")
GROUP = give_up("the conversation does not exist or is not the robot's", "answer by hand")
PARAMETER = give_up("DingTalk refuses a parameter of the call", "report it with the code")
NEUTRAL = "the text broke DingTalk's content rules: answer by hand in other words"
TEMPLATE = alert(
    "the card template does not exist or is not published",
    "compare card_template_id and choice_template_id with https://open-dev.dingtalk.com/fe/card and publish them",
)
ROBOT_LIMIT = _retry("the robot sent more than 20 messages in a minute", 10 * MINUTE)

DENIED = "Forbidden.AccessDenied."
OPENAPI: dict[str, Rule] = {
    "InvalidAuthentication": TOKEN,
    "invalidClientIdOrSecret": SECRET,
    "invalid.client": SECRET,
    "unauthorized.client": SECRET,
    f"{DENIED}QpsLimitForAppkeyAndApi": _retry("too many calls a second by this app"),
    f"{DENIED}QpsLimitForApi": _retry("too many calls a second by all apps"),
    f"{DENIED}QpmLimitForAppkeyAndApi": _retry("too many calls a minute by this app", MINUTE),
    f"{DENIED}AccessTokenPermissionDenied": SCOPE,
    f"{DENIED}IpNotInWhiteList": IP,
    f"{DENIED}ApiCountLimitForOrg": QUOTA,
    "send.too.fast": TOO_FAST,
    "send.byToken.tooFast": TOO_FAST,
    "toomuch.msg": _retry("the robot sent more than 6,000 messages in a minute", MINUTE),
    "request.too.fast": TOO_FAST,
    "invalidParameter.msgParam.tooLong": TOO_LONG,
    "robotCode.notExsit": ROBOT,  # sic
    "robot.oto.notExist": ROBOT,
    "chatbotId.notAllow.sendOTO": give_up("the robot may not write to a person", f"publish the robot in {CONSOLE}"),
    "staffId.notExisted": STAFF,
    "invalid.openConversationId": GROUP,
    "group.disbanded": give_up("the group was disbanded"),
    "bot.stopped": give_up("the robot is switched off", f"switch it on in {CONSOLE}"),
    "bot.forbidden.sendMessage": give_up("the group's owner forbade the robot to write", "ask the group's owner"),
    "conversation.org.notMatch": give_up("the group belongs to another organisation", "compare corp_id"),
    "only.groupAdmin.canAtAll": give_up("only the group's administrators may mention all"),
    "session.expired": CLOSED,
    "session.notExisted": CLOSED,
    "processQueryKey.expireTime": give_up("a message of more than 24 hours ago"),
    "robot.processQueryKey.expired": give_up("a message of more than 24 hours ago"),
    "param.cardAlreadyExist": give_up("a card with this number exists already"),
    "param.templateNotExist": TEMPLATE,
    "param.templateUnpublished": TEMPLATE,
    "param.contentUnsafe": give_up("the card holds what DingTalk does not allow", NEUTRAL),
    "param.stream.content": TOO_LONG,
    "system.error": _retry("an error inside DingTalk"),
    "system.busy": _retry("DingTalk is busy"),
}
FAMILIES: dict[str, Rule] = {
    "invalidParameter.robotCode.downloadCode": give_up("the download code is wrong or has expired"),
    "invalidParameter.robotCode": ROBOT,
    "param.": PARAMETER,
    "invalidParameter.": PARAMETER,
    "contain.notAllowed.": give_up("the message holds what DingTalk does not allow", NEUTRAL),
}
"""By the code's beginning, where no code of its own fits; the first that does."""

WEBHOOKS_SPENT = "90030"
ERRCODES: dict[str, Rule] = {
    "40001": TOKEN,
    "40014": TOKEN,
    "42001": TOKEN,
    "33": TOKEN,  # in one community table only
    "-1": _retry("DingTalk is busy"),
    "15": _retry("DingTalk lost its own connection"),
    "88": alert("DingTalk refused the authentication", "look up the sub code in the log"),
    "90002": _retry("too many calls a second by all apps", SECOND),
    "90018": _retry("too many calls a second by this app", SECOND),
    "90020": QUOTA,
    WEBHOOKS_SPENT: Rule(
        action=Action.REROUTE,
        meaning="the month's webhook messages are used up",
        next_step="buy messages or wait for the first of the month",
    ),
    "300001": CLOSED,
    "60011": SCOPE,
    "60020": IP,
    "460101": TOO_LONG,
    "101002": TOO_LONG,
    "430101": give_up("a link was blocked", NEUTRAL),
    "430102": give_up("the text was blocked", NEUTRAL),
    "430103": give_up("an image was blocked", NEUTRAL),
    "430104": give_up("the content was blocked", NEUTRAL),
    "310000": alert("the custom robot's keywords, signature or IP list refuse the message", "see its settings"),
    "410100": ROBOT_LIMIT,
    "130101": ROBOT_LIMIT,  # seen in the field
    "302033": ROBOT_LIMIT,  # seen in the field
    "400013": give_up("the group was disbanded"),
    "400101": give_up("the custom robot's token is wrong", "copy its webhook anew"),
    "400102": give_up("the custom robot is switched off", "switch it on in the group's settings"),
    "400105": give_up("the custom robot does not know this type of message", "report it with the code"),
    "400106": give_up("the custom robot is no longer in the group", "add it again"),
    "40004": give_up("DingTalk does not take this type of file", "see the formats in docs/platforms.md"),
    "40006": give_up("the file is too large", "20 MB for pictures, videos and files, 2 MB for voice"),
    "40035": PARAMETER,
    "43004": PARAMETER,
}
SUB_CODES: dict[str, Rule] = {
    "": _retry("DingTalk timed out while it authenticated the call"),
    "60011": SCOPE,
    "60020": IP,
}
"""What errcode 88 means."""
