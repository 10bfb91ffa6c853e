"""What customers reply to, with real processes and the platforms' own ways of telling it."""

import pytest

from bot.sandbox.model_parts import words
from tests.acceptance.conftest import SOON, Town, customer

pytestmark = pytest.mark.acceptance


def test_the_model_reads_what_a_message_replies_to(town: Town) -> None:
    town.start()
    for name in ("ding", "aibot"):
        platform, user = town.platforms[name], customer(name, 7)
        asked = len(town.model.requests)
        said = platform.write("quoted", user=user, text="Can this one be returned?", quoted="Order 4711")
        assert said.status == 200
        platform.wait_for_replies(1, SOON, user=user)
        (request,) = town.model.requests[asked:]
        newest = words(request["messages"][-1])
        assert "(in reply to: “Order 4711”)\nCan this one be returned?" in newest
    assert "4711" not in town.log()
