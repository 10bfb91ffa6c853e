"""What a robot may send, as a webhook's body (§2.2) or as msgKey and msgParam (§2.4), and what is then seen."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.dingtalk.errors import api_error, old_error
from bot.sandbox.simulator.journal import Choice
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.seen import Seen

LARGEST_WEBHOOK_BODY = 20_000
LARGEST_PARAMETER = 15_000
"""Bytes."""


def of_webhook(body: Any) -> Seen:
    """Raises Refusal (old API) for what the session webhook does not take."""
    kind = str(member(body, "msgtype"))
    reader = WEBHOOK.get(kind)
    if reader is None:
        raise old_error(400105, "unsupported msgtype", rule="unknown_type")
    if not isinstance(member(body, kind), dict):
        raise old_error(40035, f"no {kind} object", rule="parameter_missing")
    seen = reader(body[kind])
    if not seen.text.strip():
        raise old_error(40035, f"{kind} without text", rule="empty_text")
    return seen


def _titled(given: Any) -> str:
    title = member(given, "title")
    if not isinstance(title, str) or not title.strip():
        raise old_error(40035, "title is required", rule="title_missing")
    return title


def _said(given: Any, name: str) -> str:
    words = member(given, name)
    return words if isinstance(words, str) else ""


def _markdown(given: Any) -> Seen:
    _titled(given)
    return Seen(text=_said(given, "text"), style="markdown")


def _action_card(given: Any) -> Seen:
    _titled(given)
    single = member(given, "singleTitle")
    many = member(given, "btns")
    links = [(single, member(given, "singleURL"))] if single else []
    links += [(member(each, "title"), member(each, "actionURL")) for each in many or ()]
    if not links or not all(isinstance(title, str) and isinstance(url, str) for title, url in links):
        raise old_error(40035, "an action card has buttons with addresses", rule="parameter_missing")
    return Seen(text=_said(given, "text"), style="markdown", choices=_linked(links))


def _linked(links: list[tuple[Any, Any]]) -> tuple[Choice, ...]:
    return tuple(Choice(id=str(url), title=str(title)) for title, url in links)


def _link(given: Any) -> Seen:
    _titled(given)
    return Seen(text=_said(given, "text"), choices=_linked([(given["title"], member(given, "messageUrl"))]))


def _feed(given: Any) -> Seen:
    links = [(member(each, "title"), member(each, "messageURL")) for each in member(given, "links") or ()]
    return Seen(text="\n".join(str(title) for title, _ in links), choices=_linked(links))


WEBHOOK: Mapping[str, Callable[[Any], Seen]] = {
    "text": lambda given: Seen(text=_said(given, "content")),
    "markdown": _markdown,
    "actionCard": _action_card,
    "link": _link,
    "feedCard": _feed,
}


PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "sampleText": ("content",),
    "sampleMarkdown": ("title", "text"),
    "sampleImageMsg": ("photoURL",),
    "sampleLink": ("text", "title", "picUrl", "messageUrl"),
    "sampleActionCard": ("title", "text", "singleTitle", "singleURL"),
    "sampleActionCard2": ("title", "text", "actionTitle1", "actionURL1", "actionTitle2", "actionURL2"),
    "sampleActionCard3": ("title", "text", "actionTitle1", "actionURL1", "actionTitle3", "actionURL3"),
    "sampleActionCard4": ("title", "text", "actionTitle1", "actionURL1", "actionTitle4", "actionURL4"),
    "sampleActionCard5": ("title", "text", "actionTitle1", "actionURL1", "actionTitle5", "actionURL5"),
    "sampleActionCard6": ("title", "text", "buttonTitle1", "buttonUrl1", "buttonTitle2", "buttonUrl2"),
    "sampleAudio": ("mediaId", "duration"),
    "sampleFile": ("mediaId", "fileName", "fileType"),
    "sampleVideo": ("duration", "videoMediaId", "videoType", "picMediaId"),
}
"""What each msgKey must have (§2.4)."""
FILES = {
    "sampleImageMsg": ("image", "photoURL"),
    "sampleAudio": ("audio", "mediaId"),
    "sampleFile": ("document", "mediaId"),
    "sampleVideo": ("video", "videoMediaId"),
}


def of_robot(body: Any, robot_code: str) -> Seen:
    """Raises Refusal (new API) for what the robot's send calls do not take."""
    if member(body, "robotCode") != robot_code:
        raise api_error(400, "robotCode.notExsit", "robot 不存在", rule="wrong_robot_code")
    key = str(member(body, "msgKey"))
    wanted = PARAMETERS.get(key)
    if wanted is None:
        raise api_error(400, "invalidParameter.msgKey.notSupport", key, rule="unknown_type")
    given = _parameter(member(body, "msgParam"))
    missing = [name for name in wanted if member(given, name) in (None, "")]
    if missing:
        raise api_error(400, "invalidParameter.msgParam.invalid", f"without {missing[0]}", rule="parameter_missing")
    if key in FILES:
        kind, name = FILES[key]
        return Seen(
            text="", media=str(given[name]), media_kind=kind, media_name=str(member(given, "fileName") or "")
        )
    style = "text" if key in ("sampleText", "sampleLink") else "markdown"
    links = [(given[name], given[name.replace("Title", "URL" if "action" in name or "single" in name else "Url")])
             for name in wanted if name.endswith("Title") or name[:-1].endswith("Title")]  # fmt: skip
    return Seen(text=str(given["content" if key == "sampleText" else "text"]), style=style, choices=_linked(links))


def _parameter(told: Any) -> Any:
    if isinstance(told, str) and len(told.encode("utf-8", "replace")) > LARGEST_PARAMETER:
        raise api_error(400, "invalidParameter.msgParam.tooLong", rule="too_long")
    try:
        given = json.loads(told) if isinstance(told, str) else None
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise api_error(
            400, "invalidParameter.msgParam.invalid", "a string that holds JSON", rule="msgparam_no_string"
        )
    return given
