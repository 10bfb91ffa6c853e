"""What `frontdesk check` says about an AI bot."""

from collections.abc import Sequence

from adapters.channel import Finding, Services
from adapters.http import MaybeSent, NotSent
from adapters.wecom.check import callback_finding
from adapters.wecom_aibot.envelope import Callback
from adapters.wecom_aibot.frames import PING, command


def callback_findings(callback: Callback, *, bot_id: str, api_base: str, services: Services) -> Sequence[Finding]:
    """Opens echostrs that it sealed itself with each pair of secrets; whether late answers have a way out."""
    return (callback_finding(callback.seals, bot_id), _reachable(api_base, services))


def _reachable(api_base: str, services: Services) -> Finding:
    """Any answer will do: there is no call by which a bot in URL mode could prove who it is."""
    what = "the host of late answers (response_url)"
    try:
        status = services.http.call("GET", f"{api_base}/cgi-bin/aibot/response").status
    except (NotSent, MaybeSent) as error:
        return Finding(what=what, ok=False, next_step=f"not reached ({error}): check the network and api_base")
    next_step = "" if status < 500 else f"HTTP {status}: check api_base and any proxy before it"
    return Finding(what=what, ok=not next_step, next_step=next_step)


def connection_findings(name: str, *, bot_id: str, services: Services) -> Sequence[Finding]:
    """Whether a process holds the connection now. Only it may ask the platform: a second one would throw it out."""
    what = f"long connection of {bot_id}"
    if services.relay.tell(name, command(PING)):
        return (Finding(what=what, ok=True),)
    step = "start `frontdesk connect`; if it runs, compare bot_id and secret with the bot's page in the console"
    return (Finding(what=what, ok=False, next_step=step),)
