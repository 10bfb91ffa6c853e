"""WhatsApp passes the contract of a channel."""

from typing import ClassVar

from adapters.whatsapp.errors import RULES
from tests.adapters.whatsapp_kit import WhatsAppKit
from tests.contracts.channel import ChannelContract

SHEET = """
0 190 3 10 131005 1 2 33 100 4 80007 130429 131056 131048 131057 131000 131016 133004 131008 131009 131021 131026
131030 131031 368 130497 131037 131042 131045 133010 131047 131049 131050 130472 131051 131052 131053 131060 131062
131063 131064 131043 132000 132005 132008 132012 132018 132001 132007 132015 132016 132068 132069 133000 133005
133006 133008 133009 133015 133016 134011 134100 134101 134102 131055 135000 137000 131044 131020 131041 131059
131201 131215 200 299 138100 138199
"""
"""Every code of the table in the sheet's §4.4, and of the groups in §2.3; of ranges the ends."""


class TestWhatsApp(WhatsAppKit, ChannelContract):
    documented_codes: ClassVar[list[str]] = SHEET.split()

    def test_each_code_has_a_meaning_and_a_next_step(self) -> None:
        for code, rule in RULES.items():
            assert code.isdecimal()
            assert rule.meaning, code
            assert rule.next_step, code
