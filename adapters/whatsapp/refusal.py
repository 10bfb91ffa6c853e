"""What cannot be sent is said before anything leaves: with the limit that it breaks, and never with its words."""

from adapters.values import Action, Refused


class Refusal(Exception):
    """Nothing was sent. *refused* is what the send ends as."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


def impossible(reason: str, action: Action = Action.GIVE_UP) -> Refusal:
    return Refusal(Refused(reason=reason, action=action))
