"""What can go wrong between a request and its answer, in the data plane's own words.

No HTTP here: each protocol decides which status these become.
"""


class InvalidInputError(Exception):
    """The client sent what the model cannot take; the message says which input, what was wanted, what came."""


class ModelFailedError(Exception):
    """The model raised while predicting what the schema allows; the cause is chained."""


class OverloadedError(Exception):
    """More is waiting than will be answered in time; the client should come back."""
