"""DingTalk's own stream client as a bot that prints what it hears: a process, for it cannot be stopped otherwise.

python -m tests.sandbox.official_client ADDRESS CLIENT_ID CLIENT_SECRET SECONDS_BEFORE_THE_ACKNOWLEDGEMENT
"""

import asyncio
import sys
from typing import Any

from dingtalk_stream import Credential, DingTalkStreamClient
from dingtalk_stream.chatbot import ChatbotHandler, ChatbotMessage
from dingtalk_stream.frames import AckMessage


class Listener(ChatbotHandler):  # type: ignore[misc]
    def __init__(self, late: float) -> None:
        super().__init__()
        self._late = late

    async def process(self, callback: Any) -> tuple[int, str]:
        print(ChatbotMessage.from_dict(callback.data).text.content, flush=True)
        await asyncio.sleep(self._late)
        return AckMessage.STATUS_OK, "OK"


if __name__ == "__main__":
    address, client_id, client_secret, late = sys.argv[1:]
    DingTalkStreamClient.OPEN_CONNECTION_API = f"{address}/v1.0/gateway/connections/open"
    client = DingTalkStreamClient(Credential(client_id, client_secret))
    client.register_callback_handler(ChatbotMessage.TOPIC, Listener(float(late)))
    client.start_forever()
