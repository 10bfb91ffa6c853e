"""What every inbox promises. An implementation inherits :class:`InboxContract` and gives `make_desk`."""

from tests.contracts.inbox_accepting import AcceptingContract
from tests.contracts.inbox_adopting import AdoptContract
from tests.contracts.inbox_conversations import ConversationContract
from tests.contracts.inbox_owners import PauseContract
from tests.contracts.inbox_pages import PageContract
from tests.contracts.inbox_parking import DeadLetterContract, LaterContract
from tests.contracts.inbox_statuses import StatusContract
from tests.contracts.inbox_turns import LeaseContract, ReplyContract


class InboxContract(
    AcceptingContract,
    PageContract,
    LeaseContract,
    ReplyContract,
    ConversationContract,
    PauseContract,
    AdoptContract,
    StatusContract,
    LaterContract,
    DeadLetterContract,
):
    """All checks."""
