"""The one file that names concrete classes: from a configuration to a running desk.

`read_config` → `open_desk` → `web_app` (gunicorn's target) or `worker_of`.
"""

import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from flask import Flask

from adapters.backoff import Backoff
from adapters.channel import Channel, Services
from adapters.dingtalk import DingTalk
from adapters.feishu import Feishu
from adapters.files import Folder
from adapters.http import PlatformHttp
from adapters.telegram import Telegram
from adapters.tokens import MemoryTokenStore, TokenStore
from adapters.wecom import WeComApp
from adapters.wecom_aibot import WeComAiBot
from adapters.wecom_kf import WeComKf
from adapters.whatsapp import WhatsApp
from bot import config as configuration
from bot import metrics
from bot.accounts import Accounts
from bot.config import Config
from bot.connect import Connector, Rhythm
from bot.controls import Controls
from bot.edge.web import create_app
from bot.intake import Intake
from bot.sandbox.mount import blueprint as sandbox_blueprint
from bot.store_check import trust
from bot.toolbox import build_tools, toolbox
from bot.turns.announcer import Announcer
from bot.turns.drafting import Voice as TurnVoice
from bot.turns.hearing import LONGEST_LISTENING, Senses
from bot.turns.pull import Polls, Puller, pulls
from bot.turns.reminders import Reminders
from bot.turns.rules import TurnRules
from bot.turns.turn import TurnEngine
from bot.turns.worker import Worker, WorkerRules
from inference.assistant import Assistant, AssistantSettings
from inference.exchange import Limits
from inference.faq import EXAMPLE, BadTable, Faq, NoKnowledge
from inference.request import Voice
from inference.tools.http import ToolHttp
from inference.tools.loop import Toolbox
from inference.transcription import Transcriber
from inference.values import Knowledge
from inference.vllm import Attempt, VllmModel
from sessions.alarms import RedisAlarms
from sessions.aliases import RedisAliases
from sessions.engine import RedisInbox
from sessions.errors import StoreDown
from sessions.growth import RedisGrowth
from sessions.inbox import Inbox
from sessions.leader import Leader
from sessions.meter import RedisMeter
from sessions.relay import RedisRelay
from sessions.schedule import RedisSchedule, Schedule
from sessions.store import RedisStore
from sessions.throttle import RedisThrottle
from sessions.tokens import RedisTokenStore

EXAMPLE_COMPANY = configuration.Assistant().company_name

PLATFORMS: Mapping[str, type[Channel[Any]]] = {
    "whatsapp": WhatsApp,
    "wecom": WeComApp,
    "wecom-aibot": WeComAiBot,
    "wecom-kf": WeComKf,
    "dingtalk": DingTalk,
    "feishu": Feishu,
    "telegram": Telegram,
}

Role = Literal["web", "worker", "connect", "tool"]

PATIENCE: Mapping[Role, timedelta] = {
    "web": timedelta(seconds=0.18),  # then the platform is told 503, within 300 ms
    "worker": timedelta(seconds=5),
    "connect": timedelta(seconds=2),
    "tool": timedelta(seconds=5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that one process needs, built from the configuration."""

    config: Config
    store: RedisStore
    inbox: Inbox
    schedule: Schedule
    accounts: Accounts
    services: Services
    channels: Mapping[str, Channel[Any]]
    assistants: Mapping[str, Assistant]

    def intake(self) -> Intake:
        """The way in for events, wherever they come from."""
        takeover = self.config.worker.takeover
        controls = Controls(self.inbox, self.accounts, now=self.services.now, takeover=takeover)
        return Intake(self.inbox, controls, self.services.meter)

    def ready(self) -> None:
        """Raises StoreDown unless Redis takes writes."""
        self.store.check_writable()

    def close(self) -> None:
        self.store.close()


def read_config(path: Path | None) -> Config:
    """Raises :class:`bot.config.ConfigError` with every problem at once."""
    settings = {name: channel.settings_type for name, channel in PLATFORMS.items()}
    return configuration.load(path, platforms=settings)


def open_desk(config: Config, redis_url: str, *, role: Role) -> Desk:
    """Connects lazily: a Redis that is down now is met at the first use. Raises
    :class:`~sessions.errors.UnsafeStore` if it may lose accepted messages."""
    store = RedisStore.open(redis_url, patience=PATIENCE[role], connections=_connections(config, role))
    trust(store, allow_volatile=config.redis.allow_volatile)
    schedule = RedisSchedule(store)
    services = services_of(config, store)
    return Desk(
        config=config,
        store=store,
        inbox=RedisInbox(
            store,
            consumer=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
            lease=config.worker.lease,
            mailbox_limit=config.sessions.mailbox,
            session_ttl=config.sessions.ttl,
        ),
        schedule=schedule,
        accounts=Accounts(RedisAlarms(store)),
        services=services,
        channels=build_channels(config, services),
        assistants=build_assistants(config, Reminders(schedule)),
    )


def services_of(config: Config, store: RedisStore) -> Services:
    """What all processes share."""
    return replace(
        lone_services(config, RedisTokenStore(store)),
        throttle=RedisThrottle(store),
        meter=RedisMeter(store),
        growth=RedisGrowth(store),
        aliases=RedisAliases(store),
        relay=RedisRelay(store),
    )


def lone_services(config: Config, tokens: TokenStore) -> Services:
    """For a process that shares nothing."""
    return Services(
        http=PlatformHttp(connections=128),
        tokens=tokens,
        now=lambda: datetime.now(UTC),
        files=Folder(config.server.files),
    )


def build_channels(config: Config, services: Services) -> dict[str, Channel[Any]]:
    return {
        name: PLATFORMS[settings.platform](name, settings, services) for name, settings in config.channels.items()
    }


def build_assistants(config: Config, reminders: Reminders | None = None) -> dict[str, Assistant]:
    """One assistant a table; all share the model's connections and its replicas' health. *reminders* None: nobody
    vouches for a customer, as in a terminal chat, and there are no tools. Raises
    :class:`bot.config.ConfigError` with the problems of every FAQ file."""
    model = build_model(config)
    tools = {} if reminders is None else build_tools(config.tools, ToolHttp(), reminders)
    knowledge: dict[str, Knowledge] = {}
    problems: list[str] = []
    for name, settings in config.assistants.items():
        try:
            knowledge[name] = load_knowledge(settings)
        except BadTable as error:
            problems += [f"assistants.{name}.faq: {problem}" for problem in str(error).splitlines()]
    if problems:
        raise configuration.ConfigError(problems)
    return {
        name: _assistant(settings, model, knowledge[name], toolbox(settings, tools))
        for name, settings in config.assistants.items()
    }


def build_model(config: Config) -> VllmModel | None:
    """None where no replica is configured: the FAQ answers alone."""
    wanted = config.model
    if not wanted.replicas:
        return None
    model = VllmModel(
        wanted.replicas,
        name=wanted.name,
        api_key=wanted.api_key.get_secret_value(),
        limits=Limits(connect=wanted.connect, first=wanted.first_token, between=wanted.between_tokens),
        watch=_count,
    )
    return model.tuned(replace(model.voice, priority=0)) if wanted.priority else model


def _count(attempt: Attempt) -> None:
    metrics.model_attempts_total.labels(replica=attempt.replica, result=attempt.result).inc()
    if done := attempt.completion:
        metrics.model_tokens_total.labels(kind="prompt").inc(done.prompt_tokens)
        metrics.model_tokens_total.labels(kind="completion").inc(done.completion_tokens)


def _voice(settings: configuration.Assistant, usual: Voice) -> Voice:
    return Voice(
        model=settings.model or usual.model,
        reasoning_effort=settings.reasoning_effort or "",
        temperature=settings.temperature,
        top_p=settings.top_p,
        cache_salt=settings.cache_salt.get_secret_value(),
        priority=None if usual.priority is None else settings.priority,
    )


def _assistant(
    settings: configuration.Assistant, model: VllmModel | None, knowledge: Knowledge, tools: Toolbox
) -> Assistant:
    return Assistant(
        model and model.tuned(_voice(settings, model.voice)),
        knowledge,
        AssistantSettings(
            company_name=settings.company_name,
            system_prompt=settings.system_prompt,
            max_reply_chars=settings.max_reply_chars,
            fallback_text=settings.fallback_text,
            history_tokens=settings.history_tokens,
            max_tokens=settings.max_tokens,
            zone=ZoneInfo(settings.timezone),
            sees=settings.vision,
        ),
        tools,
    )


def load_knowledge(settings: configuration.Assistant) -> Knowledge:
    """The assistant's FAQ file; the example shop's for the example shop, and for nobody else: another company's
    customers must not be told its terms. Raises :class:`inference.faq.BadTable`."""
    if settings.faq is None and settings.company_name != EXAMPLE_COMPANY:
        return NoKnowledge()
    return Faq.load(settings.faq or EXAMPLE)


def web_app() -> Flask:
    """The gunicorn target. The Redis URL comes by `FRONTDESK__REDIS__URL` from the command that started it."""
    config = read_config(None)
    if config.redis.url is None:
        raise configuration.ConfigError(["redis.url: not set; start the web process with `frontdesk web`"])
    metrics.share(config.server.data_dir / "metrics")
    desk = open_desk(config, config.redis.url, role="web")
    app = create_app(
        channels=desk.channels,
        inbox=desk.inbox,
        accounts=desk.accounts,
        meter=desk.services.meter,
        intake=desk.intake(),
        ready=desk.ready,
    )
    if sandbox := os.environ.get("FRONTDESK_SANDBOX"):
        app.register_blueprint(sandbox_blueprint(sandbox))
    return app


def worker_of(desk: Desk) -> Worker:
    """The worker of this process."""
    metrics.share(desk.config.server.data_dir / "metrics")
    rules = desk.config.worker
    backoff = Backoff(horizon=rules.horizon)
    polls = Polls(desk.schedule)
    engine = TurnEngine(
        desk.inbox,
        desk.channels,
        build_voices(desk),
        TurnRules(
            deadline=desk.config.model.deadline,
            hold=rules.hold,
            gathers=rules.gather_limit,
            blind_resend=rules.blind_resend,
            backoff=backoff,
        ),
        announce=Announcer().announce,
        accounts=desk.accounts,
        puller=Puller(inbox=desk.inbox, intake=desk.intake(), polls=polls, backoff=backoff),
        hosts=desk.config.server.file_hosts,
    )
    with suppress(StoreDown):  # the first notice begins them too
        for channel in filter(pulls, desk.channels.values()):
            polls.next(channel)
    return Worker(
        desk.inbox,
        engine.run,
        WorkerRules(turns=rules.turns, heartbeat=rules.lease / 3, drain=rules.drain),
    )


def connects(config: Config) -> bool:
    """Whether any channel, as it is configured, needs a long connection."""
    channels = build_channels(config, lone_services(config, MemoryTokenStore()))
    return any(channel.connection() is not None for channel in channels.values())


def connector_of(desk: Desk) -> Connector:
    """The holder of this process's long connections."""
    metrics.share(desk.config.server.data_dir / "metrics")
    return Connector(desk.channels, desk.intake(), lambda name: Leader(desk.store, name, lease=Rhythm().lease))


def build_voices(desk: Desk) -> dict[str, TurnVoice]:
    """Each assistant, and what it can take in beside text."""
    speech = desk.config.model.transcription
    listener, deadline = None, LONGEST_LISTENING
    if speech is not None:
        key = speech.api_key.get_secret_value()
        listener = Transcriber(speech.url, speech.name, key, language=speech.language)
        deadline = speech.deadline
    return {
        name: TurnVoice(
            assistant=assistant,
            senses=Senses(sees=desk.config.assistants[name].vision, listener=listener, deadline=deadline),
        )
        for name, assistant in desk.assistants.items()
    }


def _connections(config: Config, role: Role) -> int:
    return {"web": config.server.threads + 4, "worker": 128, "connect": 32, "tool": 4}[role]
