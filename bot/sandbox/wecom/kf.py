"""WeChat customer service (微信客服) as a bot calls it: fetching, sending, states and a budget (§5, §9.9)."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.seen import Seen
from bot.sandbox.simulator.serving import Answer, answer_json
from bot.sandbox.wecom.errors import errcode, ok, refusal
from bot.sandbox.wecom.kf_account import BOT, ENDED, HUMAN, KEPT, NEW, POOL, Customer, KfAccount
from bot.sandbox.wecom.kf_messages import seen

NOTICE_LIFE = timedelta(minutes=10)
CODE_LIFE = timedelta(seconds=20)
WINDOW = timedelta(hours=48)
BUDGET = 5
MSGID = re.compile(r"[0-9A-Za-z_-]{1,32}")


class WeComKfPlatform(KfAccount):
    """One corporation with one account, and its API."""

    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("send", Fault(cut_after_accept=True)),
        "busy": ("send", Fault(status=200, json=errcode(-1, "system busy"))),
        "rate": ("sync", Fault(status=200, json=errcode(45009, "api freq out of limit"))),
        "slow": ("send", Fault(delay=timedelta(seconds=5))),
    }

    def __init__(self, **credentials: Any) -> None:
        """*credentials* as :class:`KfAccount` takes them."""
        super().__init__(**credentials)
        self._sent: set[str] = set()
        self._unasked = Bucket(10, timedelta(seconds=6))
        """Fetches without a notice's token: strictly limited, how strictly is not documented (§5.2)."""

    def routes(self) -> Sequence[Route]:
        calls = {
            "sync_msg": ("sync", self._on_sync),
            "send_msg": ("send", self._on_send),
            "send_msg_on_event": ("send_on_event", self._on_send_on_event),
            "service_state/get": ("state", self._on_state),
            "service_state/trans": ("trans", self._on_trans),
            "customer/batchget": ("customers", self._on_customers),
        }
        return (
            *self.access.routes(),
            *self.media.routes(),
            *(route("POST", rf"/cgi-bin/kf/{path}", name, call) for path, (name, call) in calls.items()),
            route("GET", r"/cgi-bin/kf/account/list", "accounts", self._on_accounts),
            route("POST", r"/cgi-bin/kf/account/list", "accounts", self._on_accounts),
            route("GET", r"/cgi-bin/kf/servicer/list", "servicers", self._on_servicers),
        )

    def unknown_path(self) -> Answer:
        return answer_json(errcode(40066, "invalid url"))

    def forget_tokens(self) -> None:
        self.access.forget()

    # ------------------------------------------------------------------ the bot calls

    def _on_sync(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        body = exchange.incoming.json()
        if member(body, "open_kfid") != self.open_kfid:
            raise refusal(95000, "invalid open_kfid", rule="wrong_account")
        limit = member(body, "limit") or 1000
        if not isinstance(limit, int) or not 1 <= limit <= 1000:
            raise refusal(40058, "limit is 1 to 1000", rule="parameter_invalid")
        given = member(body, "token")
        if not given and self.limits and not self._unasked.take(self.clock.now()):
            raise refusal(45009, "api freq out of limit")
        if given and self.clock.now() - self.notices.get(str(given), self.clock.now() - KEPT) > NOTICE_LIFE:
            raise refusal(95007, "invalid token")
        cursor = str(member(body, "cursor") or "")
        after = int(cursor.removeprefix("c")) if cursor.removeprefix("c").isdecimal() else 0
        return answer_json(self._page(after, min(limit, self.page_limit)))

    def _page(self, after: int, most: int) -> dict[str, Any]:
        with self.books:
            if self.blank_pages:
                self.blank_pages -= 1
                return ok(next_cursor=f"c{after}", has_more=1, msg_list=[])
            horizon = self.clock.now() - KEPT
            waiting = [(n, item) for n, at, item in self.ledger.items if n > after and at >= horizon]
        page = waiting[:most]
        last = page[-1][0] if page else max(after, self.ledger.count if not waiting else after)
        more = int(len(waiting) > len(page))
        return ok(next_cursor=f"c{last}", has_more=more, msg_list=[item for _, item in page])

    def _on_send(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        body = exchange.incoming.json()
        if member(body, "open_kfid") != self.open_kfid:
            raise refusal(95000, "invalid open_kfid", rule="wrong_account")
        with self.books:
            customer = self._addressee(body)
            msgid = self._msgid(body)
            shown = seen(body)
            self._check_media(shown.media)
            late = self._check_budget(customer)
            customer.since += 1
            self._sent.add(msgid)
        if late:
            self._do_later(
                lambda: self._event("msg_send_fail", customer.user, {"fail_msgid": msgid, "fail_type": 6})
            )
        else:
            self._show(customer.user, shown, body, msgid)
        return answer_json(ok(msgid=msgid))

    def _addressee(self, body: Any) -> Customer:
        customer = self.people.get(str(member(body, "touser")))
        if customer is None:
            if not self.strangers:
                raise refusal(40096, "invalid external_userid")
            customer = Customer(str(member(body, "touser")), state=BOT, heard_at=self.clock.now())
            self.people[customer.user] = customer
        if customer.state not in (NEW, BOT):
            rule = "wrote_over_a_human" if customer.state in (POOL, HUMAN) else ""
            raise refusal(95018, "session state does not allow sending", rule=rule)
        return customer

    def _msgid(self, body: Any) -> str:
        given = member(body, "msgid")
        if given is None:
            return f"m{secrets.token_hex(12)}"
        if not isinstance(given, str) or not MSGID.fullmatch(given):
            raise refusal(40058, "msgid: at most 32 of 0-9 A-Z a-z _ -", rule="parameter_invalid")
        if given in self._sent:
            raise refusal(95032, "duplicate msgid")
        return given

    def _check_media(self, id_: str) -> None:
        if id_ and self.media.find(id_) is None:
            raise refusal(40007, "invalid media_id")

    def _check_budget(self, customer: Customer) -> bool:
        """48 hours and five messages (§5.3). True: accepted, and will fail later."""
        if customer.heard_at is None or self.clock.now() - customer.heard_at > WINDOW:
            raise refusal(95002, "more than 48 hours since the customer wrote")
        if customer.since < BUDGET:
            return False
        self.breach("over_the_budget", "more than five messages since the customer wrote")
        if not self.late_failures:
            raise refusal(95001, "more than 5 messages since the customer wrote")
        return True

    def _on_send_on_event(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        body = exchange.incoming.json()
        user, at = self.codes.pop(str(member(body, "code")), ("", self.clock.now() - KEPT))
        if self.clock.now() - at > CODE_LIFE:
            raise refusal(41050, "welcome_code expired")
        self._show(user, seen(body), body, self._msgid(body))
        return answer_json(ok())

    def _show(self, user: str, shown: Seen, body: Any, msgid: str) -> None:
        at = self.clock.now()
        self.journal.add(shown.sent(to=user, key=msgid, at=at, raw=body, platform_id=msgid))

    def _on_state(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        customer = self._named(exchange)
        return answer_json(ok(service_state=customer.state, servicer_userid=customer.servicer))

    def _on_trans(self, exchange: Exchange) -> Answer:
        """Which state may follow which (§5.5)."""
        self.access.check(exchange.incoming)
        customer, body = self._named(exchange), exchange.incoming.json()
        wanted = member(body, "service_state")
        allowed = {NEW: (BOT, POOL, HUMAN), BOT: (POOL, HUMAN), POOL: (HUMAN,), HUMAN: (HUMAN, ENDED)}
        if wanted not in allowed.get(customer.state, ()):
            raise refusal(95013, "conversation ended, or no such way")
        if wanted == HUMAN and member(body, "servicer_userid") not in ("LiNa", "ZhangWei"):
            raise refusal(95014, "servicer is not accepting")
        customer.state, customer.servicer = int(wanted), str(member(body, "servicer_userid") or "")
        code = secrets.token_urlsafe(16)
        self.codes[code] = (customer.user, self.clock.now())
        return answer_json(ok(msg_code=code))

    def _named(self, exchange: Exchange) -> Customer:
        body = exchange.incoming.json()
        if member(body, "open_kfid") != self.open_kfid:
            raise refusal(95000, "invalid open_kfid", rule="wrong_account")
        customer = self.people.get(str(member(body, "external_userid")))
        if customer is None:
            raise refusal(40096, "invalid external_userid")
        return customer

    def _on_customers(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        wanted = member(exchange.incoming.json(), "external_userid_list") or []
        known = [{"external_userid": user, "nickname": user} for user in wanted if user in self.people]
        return answer_json(ok(customer_list=known, invalid_external_userid=[]))

    def _on_accounts(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        account = {"open_kfid": self.open_kfid, "name": "Example Shop", "avatar": "", "manage_privilege": True}
        return answer_json(ok(account_list=[account]))

    def _on_servicers(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        return answer_json(ok(servicer_list=[{"userid": "LiNa", "status": 0}, {"userid": "ZhangWei", "status": 1}]))
