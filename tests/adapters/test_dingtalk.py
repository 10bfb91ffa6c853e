"""DingTalk under the contract of every channel, by both ways out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from adapters.channel import Channel
from adapters.dingtalk import DingTalk
from adapters.values import Reply, Request
from tests.adapters import dingtalk_kit as kit
from tests.contracts.channel import ChannelContract
from tests.fakes import Answer, Call

NEW = {"client_secret": "kit-app-secret-2"}
API_CODES = {
    400: (
        "InvalidAuthentication invalidClientIdOrSecret send.too.fast send.byToken.tooFast toomuch.msg "
        "request.too.fast "
        "invalidParameter.msgParam.tooLong invalidParameter.robotCode.notExsit invalidParameter.msgKey "
        "robotCode.notExsit staffId.notExisted invalid.openConversationId group.disbanded bot.stopped "
        "bot.forbidden.sendMessage conversation.org.notMatch chatbotId.notAllow.sendOTO robot.oto.notExist "
        "contain.notAllowed.word only.groupAdmin.canAtAll session.expired session.notExisted invalid.client "
        "param.templateNotExist param.templateUnpublished param.contentUnsafe param.stream.content "
        "param.openSpaceIdInvalid invalidParameter.robotCode.downloadCode invalidParameter.robotCode.auth"
    ),
    401: "unauthorized.client",
    403: (
        "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi Forbidden.AccessDenied.QpsLimitForApi "
        "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi Forbidden.AccessDenied.AccessTokenPermissionDenied "
        "Forbidden.AccessDenied.IpNotInWhiteList Forbidden.AccessDenied.ApiCountLimitForOrg"
    ),
    500: "system.error",
    503: "system.busy",
}
STATUS = {code: status for status, codes in API_CODES.items() for code in codes.split()}
OLD_CODES = """
40001 40014 42001 33 -1 15 88 90002 90018 90020 90030 300001 460101 101002 430101 430102 430103 430104 310000
410100 130101 302033 400013 400101 400102 400105 400106 40035 43004 40004 40006
"""


class DingTalkContract(ChannelContract):
    channel_type = DingTalk
    settings = kit.SETTINGS
    rotated: ClassVar[dict[str, Any]] = {**NEW, "client_secret_previous": kit.SECRET}
    retired: ClassVar[dict[str, Any]] = NEW
    private: ClassVar[tuple[str, ...]] = (kit.SECRET, kit.TOKEN, "00112233445566778899aabbccddeeff")
    now = kit.NOW
    body_is_signed = False

    def addresses(self, url: str) -> dict[str, Any]:
        return {"api_base": url, "oapi_base": url}

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        return kit.signed(kit.body(text, msgId=message_id, senderStaffId=user, conversationId=f"cid-{user}"))

    def redelivered(self, request: Request) -> Request:
        """Signed anew."""
        again = kit.signed(request.body, at=kit.NOW + timedelta(seconds=61))
        return replace(again, received_at=kit.NOW + timedelta(seconds=61))

    def payload(self) -> bytes:
        return self.text_webhook().body

    def signed(self, payload: bytes) -> Request:
        return kit.signed(payload)

    def forged(self) -> Iterator[Request]:
        payload = self.payload()
        stamp = str(kit.milliseconds(kit.NOW))
        good = kit.signature(stamp)
        yield kit.signed(payload, secret="another-secret")
        yield kit.signed(payload, at=kit.NOW - timedelta(hours=1, seconds=1))
        yield kit.signed(payload, at=kit.NOW + timedelta(hours=1, seconds=1))
        for headers in (
            {"timestamp": stamp},
            {"sign": good},
            {"timestamp": stamp, "sign": ""},
            {"timestamp": "", "sign": kit.signature("")},
            {"timestamp": stamp, "sign": good.replace("=", "%3D")},
            {"timestamp": stamp, "sign": good[:-1]},
            {"timestamp": stamp, "sign": f" {good}"},
            {"timestamp": stamp, "sign": "é中" + good},
            {"timestamp": f"{stamp}abc", "sign": kit.signature(f"{stamp}abc")},
            {"timestamp": f"-{stamp}", "sign": kit.signature(f"-{stamp}")},
            {"timestamp": "９" * 13, "sign": kit.signature("９" * 13)},
            {"timestamp": "9" * 5000, "sign": kit.signature("9" * 5000)},
            {"token": "x"},
        ):
            yield kit.request(payload, headers)

    def platform(self, call: Call) -> Answer:
        return kit.platform(call)

    def is_send(self, call: Call) -> bool:
        return call.path in kit.SENDS

    def sent_text(self, call: Call) -> str:
        return kit.shown(call)


class TestByOpenApi(DingTalkContract):
    documented_codes = tuple(STATUS)
    temporary_code = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
    permanent_code = "staffId.notExisted"
    account_codes = (
        "Forbidden.AccessDenied.IpNotInWhiteList",
        "Forbidden.AccessDenied.AccessTokenPermissionDenied",
        "Forbidden.AccessDenied.ApiCountLimitForOrg",
        "invalidClientIdOrSecret",
    )

    def refusal(self, code: str) -> Answer:
        return kit.api_error(code, status=STATUS.get(code, 400))


class TestBySessionWebhook(DingTalkContract):
    documented_codes = tuple(OLD_CODES.split())
    temporary_code = "90018"
    permanent_code = "430102"
    account_codes = ("90020",)

    def reply(self, channel: Channel[Any], *texts: str) -> Reply:
        reply = super().reply(channel, *texts)
        assert isinstance(channel, DingTalk)
        ends = kit.NOW + timedelta(minutes=90)
        webhook = kit.session(channel.settings.oapi_base)["sessionWebhook"]
        return replace(reply, route={**reply.route, "webhook": webhook, "webhook_expires": ends.isoformat()})

    def refusal(self, code: str) -> Answer:
        return kit.old_error(int(code))


class TestWithCards(TestByOpenApi):
    """Growing answers, and choices as buttons."""

    settings: ClassVar[dict[str, Any]] = {
        **kit.SETTINGS,
        "card_template_id": "answers.schema",
        "card_key": "content",
        "choice_template_id": "choices.schema",
        "card_route_key": "kit",
        "card_secret": "kit-card-secret",
    }
    private: ClassVar[tuple[str, ...]] = (*DingTalkContract.private, "kit-card-secret")


del DingTalkContract, ChannelContract  # collected by their heirs only
