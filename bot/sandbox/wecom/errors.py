"""How WeCom says no: always HTTP 200, and an errcode with a hint (§3, §3.5)."""

import secrets
from typing import Any

from bot.sandbox.simulator.calls import Refusal
from bot.sandbox.simulator.serving import answer_json


def errcode(code: int, message: str, peer: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
    """An answer's body."""
    if code == 0:
        return {"errcode": 0, "errmsg": message, **more}
    hint = f"hint: [{secrets.randbelow(10**19)}], from ip: {peer}"
    link = f"more info at https://open.work.weixin.qq.com/devtool/query?e={code}"
    return {"errcode": code, "errmsg": f"{message}, {hint}, {link}", **more}


def refusal(code: int, message: str, peer: str = "127.0.0.1", *, rule: str = "") -> Refusal:
    return Refusal(answer_json(errcode(code, message, peer)), f"{code}: {message}", rule=rule)


def ok(**more: Any) -> dict[str, Any]:
    return {"errcode": 0, "errmsg": "ok", **more}
