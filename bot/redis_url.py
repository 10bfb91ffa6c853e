"""Which Redis a command talks to."""

from datetime import timedelta

from bot.config import Config, ConfigError
from sessions.embedded import EmbeddedRedis
from sessions.errors import StoreDown
from sessions.store import RedisStore

NOT_THERE = (
    "redis.url: not set, and no embedded Redis answers under {folder}; "
    "start `frontdesk run` there, or set redis.url (or FRONTDESK__REDIS__URL)"
)


def redis_url(config: Config) -> str:
    """The configured Redis, else the embedded one of `frontdesk run` if it answers. Raises ConfigError."""
    url = config.redis.url or embedded_url(config)
    if url is None:
        raise ConfigError([NOT_THERE.format(folder=config.server.data_dir)])
    return url


def embedded_url(config: Config) -> str | None:
    """None: no server runs on the data directory now."""
    url = EmbeddedRedis(config.server.data_dir).url
    store = RedisStore.open(url, patience=timedelta(seconds=2), connections=1)
    try:
        store.ping()
    except StoreDown:
        return None
    finally:
        store.close()
    return url
