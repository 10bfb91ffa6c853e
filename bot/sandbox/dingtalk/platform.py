"""DingTalk (钉钉) as the robot of an internal app meets it (DingTalk sheet §1 to §6, §9).

Signed callbacks whose signature covers the time only, a session webhook per conversation that lives 90 minutes,
the send API with its tokens, cards that stream, files, encrypted events, the stream gateway and the monthly quotas;
rate limits come as 403 and token errors as 400, as on the real one.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from bot.sandbox.dingtalk.errors import QPS, api_error
from bot.sandbox.dingtalk.robot import Robot
from bot.sandbox.simulator.calls import Route
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.serving import Answer


class DingTalkPlatform(Robot):
    """One organisation with one robot, and its API."""

    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("session", Fault(cut_after_accept=True)),
        "busy": ("session", Fault(status=200, json={"errcode": -1, "errmsg": "系统繁忙"})),
        "rate": ("session", Fault(status=403, json={"code": QPS, "message": QPS})),
        "slow": ("session", Fault(delay=timedelta(seconds=5))),
        "session": ("session", Fault(status=200, json={"errcode": 300001, "errmsg": "session 不存在"})),
        "gateway": ("send", Fault(status=504, text="<html>gateway time-out</html>", accept=True)),
        "card": ("card_stream", Fault(status=403, json={"code": QPS, "message": QPS})),
    }

    def routes(self) -> Sequence[Route]:
        parts = (self.sends, self.tokens, self.cards, self.media, self.gateway)
        return tuple(route for part in parts for route in part.routes())

    def unknown_path(self) -> Answer:
        return api_error(404, "InvalidAction.NotFound", "Specified api is not found").answer

    def forget_tokens(self) -> None:
        """The current token becomes invalid early: 400 `InvalidAuthentication` for it, a new one on request."""
        self.tokens.forget()

    @property
    def token_life(self) -> timedelta:
        return self.tokens.life

    @token_life.setter
    def token_life(self, life: timedelta) -> None:
        self.tokens.life = life
