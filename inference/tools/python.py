"""A tool that is a function of the operator's own: `module:function`.

    def loyalty_points(arguments, occasion):
        return {"points": points_of(occasion.customer.user)}

It gets the checked arguments and the :class:`~inference.tools.tool.Occasion`, and returns a text or a JSON value,
or raises :class:`~inference.tools.tool.ToolFailed` with words for the model. It must end by `occasion.deadline`.
"""

import importlib
from functools import reduce

from inference.tools.tool import Act, Arguments, Occasion, ToolFailed


class BadEntry(ValueError):
    """The entry point cannot be used; the text has the next step."""


def resolve(entry: str) -> Act:
    """The function behind *entry*. Raises :class:`BadEntry`."""
    module_name, colon, path = entry.partition(":")
    if not (colon and module_name and path) or module_name.startswith("."):
        raise BadEntry('is no entry point; write it like "shop.tools:loyalty_points"')
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError, ValueError) as error:
        raise BadEntry(
            f"module {module_name} cannot be imported ({type(error).__name__}); install its package, or add its "
            "folder to PYTHONPATH"
        ) from None
    try:
        found = reduce(getattr, path.split("."), module)
    except AttributeError:
        raise BadEntry(f"module {module_name} has no {path}; correct the name after the colon") from None
    if not callable(found):
        raise BadEntry(f"{path} of module {module_name} is no function; name one")
    return _guarded(found)


def _guarded(function: Act) -> Act:
    def act(arguments: Arguments, occasion: Occasion) -> object:
        try:
            return function(arguments, occasion)
        except ToolFailed:
            raise
        except Exception as error:  # a stranger's code: its bug must not park the customer's turn
            outcome = f"crashed_{type(error).__name__}"
            raise ToolFailed("it broke down; a colleague must look", outcome=outcome, unsure=True) from error

    return act
