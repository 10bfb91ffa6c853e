"""The contract of a channel: a test class inherits it and provides what :class:`ChannelKit` asks for.

class TestWhatsApp(ChannelContract):
    channel_type = WhatsApp
    settings = {...}
    ...
"""

from tests.contracts.channel_inbound import InboundContract
from tests.contracts.channel_outbound import OutboundContract
from tests.contracts.channel_surface import SurfaceContract


class ChannelContract(InboundContract, OutboundContract, SurfaceContract):
    """Everything that is asked of a channel with a way in and a way out."""
