"""What `frontdesk check` says about a WeCom app, with the next step where something does not hold."""

from collections.abc import Sequence

from adapters.channel import Finding
from adapters.crypto import NEXT_STEP, NotSealed, Seal
from adapters.errors import Malformed
from adapters.payload import text
from adapters.values import Refused, Unknown
from adapters.wecom.api import Result, WeComApi
from adapters.wecom.envelope import Callback
from adapters.wecom.settings import WeComSettings

_ECHO = "2836502384937403712"


def findings(callback: Callback, api: WeComApi, settings: WeComSettings) -> Sequence[Finding]:
    """The callback's secrets; a token; the app; the caller's address."""
    found = [callback_finding(callback.seals, settings.corp_id), finding("access token", api.token())]
    if not found[-1].ok:
        return found
    return (*found, *_agent(api, settings), trusted_ip(api))


def trusted_ip(api: WeComApi) -> Finding:
    """Any call but gettoken is refused to an address that is not listed (60020)."""
    return finding("trusted IP", api.get("/cgi-bin/getcallbackip"))


def callback_finding(seals: Sequence[Seal], account: str) -> Finding:
    """Opens echostrs that it sealed itself with each pair of secrets."""
    what = f"callback of {account}: token, encoding_aes_key, receive id"
    try:
        same = all(seal.open(seal.close(_ECHO, timestamp="0", nonce="0")) == _ECHO for seal in seals)
    except NotSealed as error:
        return Finding(what=what, ok=False, next_step=NEXT_STEP[error.flaw])
    except Malformed:
        same = False
    return Finding(what=what, ok=same, next_step="" if same else "copy `encoding_aes_key` from the console")


def _agent(api: WeComApi, settings: WeComSettings) -> Sequence[Finding]:
    """`agent/get` refuses an id of another app than the token's (301002)."""
    what = f"agent id {settings.agent_id}"
    result = api.get("/cgi-bin/agent/get", agentid=str(settings.agent_id))
    if isinstance(result, Refused | Unknown):
        return (finding(what, result),)
    if text(result, "close") == "1":
        return (Finding(what=what, ok=False, next_step="the app is disabled: enable it in the console"),)
    if settings.welcome and text(result, "isreportenter") == "0":
        next_step = "switch on 上报进入应用事件 beside 设置API接收 in the console, or there is no welcome"
        return (finding(what, None), Finding(what="event enter_agent", ok=False, next_step=next_step))
    return (finding(what, None),)


def finding(what: str, result: Result | None) -> Finding:
    if isinstance(result, Refused | Unknown):
        return Finding(what=what, ok=False, next_step=result.reason)
    return Finding(what=what, ok=True)
