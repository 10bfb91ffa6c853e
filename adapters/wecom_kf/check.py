"""What `frontdesk check` says about a customer-service account, with the next step where there is one."""

from collections.abc import Iterator, Sequence

from adapters.channel import Finding
from adapters.payload import Json, at, objects, text
from adapters.values import Refused, Unknown
from adapters.wecom.api import WeComApi
from adapters.wecom.check import callback_finding, finding, trusted_ip
from adapters.wecom.envelope import Callback
from adapters.wecom_kf.settings import WeComKfSettings

PAGE = 100
MOST_ACCOUNTS = 5000
NOT_PERMITTED = "48002"
_PERMITTED = "微信客服 → 可调用接口的应用"
_LISTED = "list it in the console under 微信客服 → 通过API管理微信客服账号"


def findings(callback: Callback, api: WeComApi, settings: WeComKfSettings) -> Sequence[Finding]:
    """The callback's secrets; a token; the caller's address; the account; its servicers, if it hands over."""
    found = [callback_finding(callback.seals, settings.corp_id), finding("access token", api.token())]
    if not found[-1].ok:
        return found
    found += [trusted_ip(api), _account(api, settings.open_kfid)]
    if settings.hand_over and found[-1].ok:
        found.append(_servicers(api, settings))
    return found


def _account(api: WeComApi, open_kfid: str) -> Finding:
    what = f"customer-service account {open_kfid}"
    for each in _accounts(api):
        if isinstance(each, Refused) and each.code == NOT_PERMITTED:
            return Finding(what=what, ok=False, next_step=f"{each.reason}: {_PERMITTED}")
        if isinstance(each, Refused | Unknown):
            return finding(what, each)
        if text(each, "open_kfid") == open_kfid:
            managed = at(each, "manage_privilege") is not False
            return Finding(what=what, ok=managed, next_step="" if managed else _LISTED)
    next_step = f"no account of this app has this open_kfid: copy it from the console, or {_LISTED}"
    return Finding(what=what, ok=False, next_step=next_step)


def _accounts(api: WeComApi) -> Iterator[dict[str, Json] | Refused | Unknown]:
    for offset in range(0, MOST_ACCOUNTS, PAGE):
        result = api.post("/cgi-bin/kf/account/list", {"offset": offset, "limit": PAGE})
        if isinstance(result, Refused | Unknown):
            yield result
            return
        page = list(objects(result, "account_list"))
        yield from page
        if len(page) < PAGE:
            return


def _servicers(api: WeComApi, settings: WeComKfSettings) -> Finding:
    """A conversation that is handed over to nobody waits for ever."""
    what = f"servicers of {settings.open_kfid}"
    result = api.get("/cgi-bin/kf/servicer/list", open_kfid=settings.open_kfid)
    if isinstance(result, Refused | Unknown):
        return finding(what, result)
    serving = {text(each, "userid").casefold(): text(each, "status") for each in objects(result, "servicer_list")}
    wanted = settings.servicer_userid.casefold()
    if not serving:
        return Finding(what=what, ok=False, next_step="add a servicer (接待人员) to the account in the console")
    if settings.hand_over == "servicer" and wanted not in serving:
        return Finding(
            what=what, ok=False, next_step="servicer_userid is no servicer of this account: add the member"
        )
    return Finding(what=what, ok=True)
