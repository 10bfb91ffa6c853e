"""What every inbox promises. An implementation inherits :class:`InboxContract` and gives `make_desk`."""

from tests.contracts.inbox_accepting import AcceptingContract
from tests.contracts.inbox_conversations import ConversationContract
from tests.contracts.inbox_parking import DeadLetterContract, LaterContract
from tests.contracts.inbox_turns import LeaseContract, ReplyContract


class InboxContract(
    AcceptingContract, LeaseContract, ReplyContract, ConversationContract, LaterContract, DeadLetterContract
):
    """All checks."""
