"""What model servers and the gateways before them really do, by name: the cases a client must survive.

Each is one request's behaviour for :class:`bot.sandbox.model.ScriptedModelServer`; bodies and event shapes are
vLLM 0.32's as recorded (vLLM sheet §0, §2, §4), or a gateway's where it says so.
"""

from collections.abc import Mapping

from bot.sandbox.model_exchange import Behaviour, Exchange, behaves

BUSY = (
    "The engine is currently busy and cannot accept new requests. "
    "Please try again later or on a different instance."
)
BROKEN = "EngineCore encountered an issue. See stack trace (above) for the root cause."
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
LONG_WAIT = 30.0


def _status(status: int, message: str, kind: str = "InternalServerError", param: str | None = None) -> Behaviour:
    return lambda exchange: exchange.error(status, message, kind, param)


def _answer(status: int, content: bytes, kind: str, headers: Mapping[str, str] | None = None) -> Behaviour:
    return lambda exchange: exchange.answer(status, content, kind=kind, headers=headers or {})


def says(text: str, *, finish: str = "stop", reasoning: str = "") -> Behaviour:
    return lambda exchange: exchange.speak(text, finish=finish, reasoning=reasoning)


def events(*data: object) -> Behaviour:
    """A stream of these events and nothing else: a dict is a delta, a string is raw data."""

    def stream(exchange: Exchange) -> None:
        exchange.open_stream()
        for it in data:
            if isinstance(it, dict):
                delta = dict(it)
                finish = delta.pop("finish_reason", None)
                exchange.delta(delta, finish)
            else:
                exchange.event(str(it))
        exchange.close_stream()

    return stream


def error_event(code: int, message: str, *before: str) -> Behaviour:
    """`data: {"error": …}` inside a 200, followed by a normal `[DONE]`, after the words *before*."""

    def stream(exchange: Exchange) -> None:
        exchange.begin() if before else exchange.open_stream()
        for word in before:
            exchange.delta({"content": word})
        exchange.event({"error": {"message": message, "type": "InternalServerError", "param": None, "code": code}})
        exchange.done()

    return stream


def cut_after(words: int, *, reasoning: int = 0) -> Behaviour:
    """The connection ends after so many thoughts and words."""

    def stream(exchange: Exchange) -> None:
        exchange.begin()
        for _ in range(reasoning):
            exchange.delta({"reasoning": "hm "})
        for _ in range(words):
            exchange.delta({"content": "word "})
        exchange.cut()

    return stream


def silent_after(words: int) -> Behaviour:
    """What a vLLM stopped by SIGTERM was seen to do: the stream stays open, and nothing comes."""

    def stream(exchange: Exchange) -> None:
        exchange.begin()
        for _ in range(words):
            exchange.delta({"content": "word "})
        exchange.wait(LONG_WAIT)
        exchange.cut()

    return stream


def drip(head: int) -> Behaviour:
    """One byte at a time, for ever, after the first *head* bytes of a good answer."""

    def stream(exchange: Exchange) -> None:
        good = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        good += b"ffff\r\ndata: "
        exchange.raw(good[:head])
        rest = good[head:]
        while not exchange.wait(0.1):
            exchange.raw(rest[:1] or b"x")
            rest = rest[1:]

    return stream


def drips_tokens(exchange: Exchange) -> None:
    """Whole tokens, each in good time, without an end: only the total deadline stops it."""
    exchange.begin()
    while not exchange.wait(0.1):
        exchange.delta({"content": "and "})


def keeps_alive(exchange: Exchange) -> None:
    """vLLM's `--sse-keep-alive-interval`, then the answer."""
    exchange.open_stream()
    exchange.chunk(b": keep-alive\n\n: ping\n\n")
    exchange.delta({"role": "assistant", "content": ""})
    exchange.chunk(b": keep-alive\n\n")
    exchange.delta({"content": "Here."})
    exchange.delta({}, "stop")
    exchange.done()


def only_keeps_alive(exchange: Exchange) -> None:
    exchange.open_stream()
    while not exchange.wait(0.1):
        exchange.chunk(b": keep-alive\n\n")


def splits_every_byte(exchange: Exchange) -> None:
    """Every byte in an HTTP chunk of its own, so that each character, line and event is split."""
    exchange.open_stream()
    text = '{"choices":[{"index":0,"delta":{"content":"退款已到账 ✅"},"finish_reason":"stop"}]}'
    for byte in f"data: {text}\r\n\r\ndata: [DONE]\r\n\r\n".encode():
        exchange.chunk(bytes([byte]))
    exchange.close_stream()


def huge(exchange: Exchange) -> None:
    """10 MB of answer."""
    exchange.begin()
    for _ in range(10 * 1024):
        exchange.delta({"content": "x" * 1024})
    exchange.delta({}, "stop")
    exchange.done()


def huge_event(exchange: Exchange) -> None:
    """10 MB of one event that does not end."""
    exchange.open_stream()
    exchange.chunk(b"data: ")
    for _ in range(10):
        exchange.chunk(b"x" * 1024 * 1024)
    exchange.cut()


SHOUTED = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Loud."},"finish_reason":"stop"}]}'


def plain_json(exchange: Exchange) -> None:
    """A gateway that does not stream, whatever is asked."""
    exchange.body["stream"] = False
    behaves(exchange)


def closes_without_length(exchange: Exchange) -> None:
    """HTTP/1.0 style: no chunks, the end of the connection is the end of the answer."""
    exchange.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    exchange.raw(b'data: {"choices":[{"index":0,"delta":{"content":"Old "},"finish_reason":null}]}\n\n')
    exchange.raw(b'data: {"choices":[{"index":0,"delta":{"content":"style."},"finish_reason":"stop"}]}\n\n')
    exchange.cut()


def drops(exchange: Exchange) -> None:
    exchange.cut()


def redirects(exchange: Exchange) -> None:
    exchange.answer(307, b"", kind="text/plain", headers={"Location": "http://127.0.0.1:9/v1/chat/completions"})


TOOL_CALL = {
    "tool_calls": [
        {
            "id": "chatcmpl-tool-1",
            "type": "function",
            "index": 0,
            "function": {"name": "get_order", "arguments": "{}"},
        }
    ]
}
HARMONY = "<|start|>assistant<|channel|>commentary to=functions.get_order <|constrain|>json"
TOO_LONG = (
    "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input tokens, "
    "which exceeds this limit even without any output tokens. (parameter=input_tokens, value=2049)"
)
TOO_LONG_HARMONY = "Input length (5089) exceeds model's maximum context length (4096)."

BEHAVIOURS: Mapping[str, Behaviour] = {
    # whole answers
    "behaves": behaves,
    "thinks aloud": says("<think>The customer wants a refund.</think>It is on its way."),
    "thinks apart": says("It is on its way.", reasoning="The customer wants a refund."),
    "keeps alive": keeps_alive,
    "splits every byte": splits_every_byte,
    "plain json": plain_json,
    "plain json, shouted": _answer(200, SHOUTED, "APPLICATION/JSON; CHARSET=UTF-8"),  # RFC 9110 §8.3.1: no case
    "closes without length": closes_without_length,
    "length": says("This sentence is whole. This one is n", finish="length"),
    # refusals
    "400": _status(400, "temperature must be non-negative", "BadRequestError", "temperature"),
    "400 too long": _status(400, TOO_LONG, "BadRequestError", "input_tokens"),
    "400 too long, harmony": _status(400, TOO_LONG_HARMONY, "BadRequestError"),
    "401": _answer(401, b'{"error":"Unauthorized"}', "application/json"),
    "403": _status(403, "Scale-out endpoints are disabled.", "PermissionDeniedError"),
    "404": _status(404, "The model `x` does not exist.", "NotFoundError", "model"),
    "404 path": _answer(404, b'{"detail":"Not Found"}', "application/json"),
    "408": _answer(408, b"Request Timeout", "text/plain"),
    "413": _answer(413, PAGE, "text/html"),
    "422": _status(422, "not reachable", "UnprocessableEntityError"),
    "429": _answer(429, b"slow down", "text/plain"),
    "429 with Retry-After": _answer(429, b"slow down", "text/plain", {"Retry-After": "1"}),
    "429 for an hour": _answer(429, b"slow down", "text/plain", {"Retry-After": "110"}),
    "redirects": redirects,
    # the server breaks down, or is full
    "busy": _status(503, BUSY, "Service Unavailable"),
    "busy in a 200": error_event(503, BUSY),
    "500": _status(500, BROKEN),
    "500 in a 200": error_event(500, BROKEN),
    "500 in a 200 midway": error_event(500, BROKEN, "Your order "),
    "drains": _status(500, "cannot schedule new futures after shutdown"),
    "drains, harmony": events({"role": "assistant", "content": ""}, "[DONE]"),
    "502": _answer(502, PAGE, "text/html"),
    "504": _answer(504, PAGE, "text/html"),
    "drops": drops,
    "cut before a token": cut_after(0),
    "cut in the thinking": cut_after(0, reasoning=3),
    "cut in the answer": cut_after(3),
    "aborts at once": says("", finish="abort"),
    "aborts midway": says("Your order ", finish="abort"),
    # not an answer
    "empty body": _answer(200, b"", "text/event-stream"),
    "empty reply": says(""),
    "blank reply": says(" \n "),
    "html": _answer(200, PAGE, "text/html"),
    "not json": events("{never json"),
    "deeply nested": events("[" * 100_000),
    "wrong shape": events('{"choices":[7]}'),
    "content is a list": events('{"choices":[{"index":0,"delta":{"content":[1]}}]}'),
    "no choices": _answer(200, b'{"id":"x","choices":[]}', "application/json"),
    "only done": events("[DONE]"),
    "done without a finish": events({"content": "Your order "}, "[DONE]"),
    "null content": events({"content": None, "finish_reason": "stop"}, "[DONE]"),
    "calls a tool": events(dict(TOOL_CALL), {"finish_reason": "tool_calls"}, "[DONE]"),
    "calls a tool and stops": events(dict(TOOL_CALL), {"finish_reason": "stop"}, "[DONE]"),
    "content filter": says("I", finish="content_filter"),
    "unknown finish": says("I", finish="repetition"),
    "harmony markup": says(HARMONY, finish="length"),
    "thinking ate the budget": says("", finish="length", reasoning="The customer asks"),
    "huge": huge,
    "huge event": huge_event,
    # time
    "silent": lambda exchange: None if exchange.wait(LONG_WAIT) else exchange.cut(),
    "silent after 200": silent_after(0),
    "silent midway": silent_after(3),
    "drips the status line": drip(5),
    "drips the headers": drip(30),
    "drips the first event": drip(110),
    "drips tokens": drips_tokens,
    "only keeps alive": only_keeps_alive,
}
