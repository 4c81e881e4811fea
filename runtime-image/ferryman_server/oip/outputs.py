"""Which outputs a client asked for."""

from collections.abc import Sequence

from ferryman_server.dataplane import names as known
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.rows import Answer


def chosen(answer: Answer, names: Sequence[str]) -> Answer:
    """These of the answer's outputs, in this order; all of them when none is named."""
    if not names:
        return answer
    unknown = [name for name in names if name not in answer]
    if unknown:
        raise InvalidInputError(f'The model has no output "{unknown[0]}"; it has {known.listed(set(answer))}.')
    return {name: answer[name] for name in names}
