"""The tables of `frontdesk.toml`, one model each. Durations are numbers of seconds there, and `timedelta` here."""

import ipaddress
import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    StringConstraints,
)

NAME = r"^[a-z0-9_-]{1,64}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
"""What a channel or an assistant may be called: the name is part of a URL and of every key."""


LONGEST = timedelta(days=30)


def _seconds(value: object) -> object:
    """A number, or a number's digits from the environment; pydantic alone would also take "3:00" and "P1D"."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("should be a number of seconds")
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        raise ValueError("should be a number of seconds") from None


def _bounded(value: timedelta) -> timedelta:
    if not timedelta() < value <= LONGEST:
        raise ValueError(f"should be more than 0 and at most {LONGEST.days} days of seconds")
    return value


def from_json(value: object) -> object:
    """Lists and tables come from the environment as JSON; from the file they come as they are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('should be JSON when it comes from the environment, such as ["one", "two"]') from None


def _http_url(value: str) -> str:
    """*value* without a trailing slash."""
    try:
        url = urlsplit(value)
        valid = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid or url.query or url.fragment or not value.isprintable() or " " in value:
        raise ValueError("should be an address such as https://bot.example.com, without a query")
    return value.rstrip("/")


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError("should be a time zone such as Asia/Shanghai") from None
    return value


Duration = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_bounded)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Count = Annotated[int, Field(ge=1)]


def is_private(url: str) -> bool:
    """Whether what is sent to *url* can be read by nobody on the way. True for what is no address at all: that is
    told by whoever reads it."""
    try:
        return urlsplit(url).scheme not in ("http", "ws") or is_local(url)
    except ValueError:
        return True


def is_local(url: str) -> bool:
    """Whether *url* stays on this machine or in its private network, where plain http is no leak."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or ("." not in host and ":" not in host):
        return True  # a service's name in a compose file
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


class Section(BaseModel):
    """One table. Unknown keys are errors, and no error repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Host = Annotated[str, StringConstraints(pattern=r"^\.?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class Server(Section):
    """The web edge. *workers* are processes, each with *threads*. *files_dir* holds the files that answers may
    carry (absent: `files` under *data_dir*), *file_hosts* names those whose https addresses they may."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535)
    data_dir: Path = Path("var")
    public_url: HttpUrl | None = None
    workers: int = Field(1, ge=1, le=256)
    threads: int = Field(16, ge=1, le=1024)
    files_dir: Path | None = None
    file_hosts: Annotated[frozenset[Host], BeforeValidator(from_json)] = frozenset()

    @property
    def files(self) -> Path:
        return self.files_dir or self.data_dir / "files"


class Redis(Section):
    """*url* absent: Frontdesk starts its own server under `server.data_dir`."""

    url: str | None = Field(None, pattern=r"^(redis|rediss|unix)://", repr=False)
    allow_volatile: bool = False
    fsync: Literal["always", "everysec"] = "always"


class Sessions(Section):
    """*ttl*: how long a conversation is remembered; *mailbox*: how many messages it may have waiting."""

    ttl: Duration = timedelta(hours=1)
    mailbox: int = Field(200, ge=1, le=100_000)


class Serve(Section):
    """What `frontdesk model` passes to `vllm serve` (defaults: vLLM sheet §1); None leaves it to vLLM.
    *check_memory* looks at the GPUs before the start, *warm_up* asks each assistant a question after it."""

    path: str = "openai/gpt-oss-20b"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    tensor_parallel_size: Count = 1
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] = "auto"
    gpu_memory_utilization: float = Field(0.90, gt=0, le=1)
    max_model_len: Count = 16384
    max_num_seqs: Count = 128
    max_num_queued_reqs: Count = 256
    quantization: str | None = None
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    lora_modules: Annotated[dict[str, str], BeforeValidator(from_json)] = Field(default_factory=dict)
    extra_args: Annotated[tuple[str, ...], BeforeValidator(from_json)] = ()
    check_memory: bool = True
    warm_up: bool = True


class Transcription(Section):
    """The speech server that makes text of voice messages (`/v1/audio/transcriptions`). *language* (ISO 639-1)
    helps where all customers speak one."""

    url: HttpUrl
    name: str = Field(min_length=1, max_length=200)
    api_key: SecretStr = SecretStr("")
    language: str = Field("", pattern=r"^[a-z]{0,3}$")
    deadline: Duration = timedelta(seconds=30)


class Model(Section):
    """The vLLM replicas, or one address of a router before them. Without any, the FAQ alone answers. *connect*,
    *first_token* and *between_tokens* are the longest waits within *deadline*, which bounds the whole answer.
    *priority*: the server runs with `--scheduling-policy priority`, so the assistants' priorities are sent."""

    replicas: Annotated[tuple[HttpUrl, ...], BeforeValidator(from_json)] = ()
    name: str = Field("gpt-oss-20b", min_length=1)
    api_key: SecretStr = SecretStr("")
    deadline: Duration = timedelta(seconds=60)
    connect: Duration = timedelta(seconds=0.9)
    first_token: Duration = timedelta(seconds=30)
    between_tokens: Duration = timedelta(seconds=15)
    priority: bool = False
    serve: Serve = Serve()
    transcription: Transcription | None = None


class Assistant(Section):
    """Who answers. *system_prompt* and *fallback_text* left empty mean the built-in ones. *model* is a served name
    or a LoRA adapter's, absent: `model.name`. *priority*: lower is earlier, where `model.priority` allows it.
    *cache_salt* keeps this assistant's prefix cache apart from that of others on the same server. *tools* names the
    `[tools.<name>]` that it may use, in at most *tool_rounds* rounds an answer. *vision*: its model takes
    pictures."""

    company_name: str = Field("Example Shop", min_length=1, max_length=200)
    system_prompt: str = ""
    max_reply_chars: int = Field(150, ge=20, le=20_000)
    fallback_text: str = ""
    faq: FilePath | None = None
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    history_tokens: int = Field(4096, ge=0)
    max_tokens: Count = 1024
    model: str | None = Field(None, min_length=1, max_length=200)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    priority: int = Field(0, ge=-(2**31), lt=2**31)
    cache_salt: SecretStr = Field(SecretStr(""), max_length=1024)
    reasoning_effort: Literal["low", "medium", "high"] | None = "low"
    tools: Annotated[tuple[str, ...], BeforeValidator(from_json)] = ()
    tool_rounds: int = Field(4, ge=1, le=20)
    vision: bool = False


class Worker(Section):
    """*turns* at once in one process; *lease*, *hold*, *horizon* and *drain* as in the guarantees; *gather_limit*:
    how often a turn is asked anew because more messages came; *blind_resend*: one more send after Unknown;
    *takeover*: how long we are silent after a person took a conversation over, unless they leave it before."""

    turns: int = Field(1000, ge=1, le=10_000)
    lease: Duration = timedelta(seconds=15)
    hold: Duration = timedelta(seconds=20)
    horizon: Duration = timedelta(seconds=600)
    drain: Duration = timedelta(seconds=25)
    gather_limit: int = Field(3, ge=0, le=20)
    blind_resend: bool = True
    takeover: Duration = timedelta(hours=12)


class Log(Section):
    """What goes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"


def channel_tag(value: Any) -> str | None:
    """Which platform's settings a `[channels.<name>]` table is read with."""
    tag = value.get("platform") if isinstance(value, dict) else getattr(value, "platform", None)
    return tag if isinstance(tag, str) else None
