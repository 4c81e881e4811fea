"""What can go wrong between a request and its answer, in the data plane's own words.

No HTTP here: each protocol decides which status these become.
"""

MOST_SAID = 1000
"""Characters of a message: it may quote what came, and a header of gRPC's bears no more than 8 KB."""


class InvalidInputError(Exception):
    """The client sent what the model cannot take; the message says which input, what was wanted, what came."""

    def __init__(self, told: str) -> None:
        super().__init__(told if len(told) <= MOST_SAID else f"{told[: MOST_SAID - 3]}...")


class TooManyRowsError(Exception):
    """The client asks for more at once than it may."""


class ModelFailedError(Exception):
    """The model raised while predicting what the schema allows; the cause is chained."""


class OverloadedError(Exception):
    """More is waiting than will be answered in time; the client should come back."""
