"""The data plane of one loaded model: rows in, answer out, and what went wrong in its own words."""

from ferryman_server.dataplane import batch
from ferryman_server.dataplane.errors import InvalidInputError, ModelFailedError, OverloadedError, TooManyRowsError
from ferryman_server.dataplane.guest import Asked, Guest, Told, TurnedDownError
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.turn import Then
from ferryman_server.reason import first_line


class DataPlane:
    """Predicts; knows no protocol."""

    guest: Guest | None = None

    def __init__(self, model: Model, batcher: batch.Batcher) -> None:
        self.model = model
        self.guest = model.guest
        self._batcher = batcher

    @property
    def prompt(self) -> bool:
        """Whether a small question has an answer at once, now."""
        return self.guest is None and self._batcher.prompt

    def at_once(self, rows: Rows) -> Answer | None:
        """The answer, if the model is idle and so short a run that nobody notices; None if it must be awaited."""
        try:
            return self._batcher.at_once(rows)
        except Exception as error:
            raise meaning(error) from error

    def soon(self, rows: Rows, asker: object, then: Then) -> bool:
        """Whether `then` has the answer, or the model's error (see `meaning`), before the event loop waits again."""
        return self._batcher.soon(rows, asker, then)

    def settle(self) -> None:
        """End the turn of the event loop, as far as the model is concerned."""
        self._batcher.settle()

    async def predict(self, rows: Rows) -> Answer:
        """The answer, or `InvalidInputError` if the model says that the values are to blame."""
        answer = self.at_once(rows)
        if answer is not None:
            return answer
        try:
            return await self._batcher.submit(rows)
        except Exception as error:
            raise meaning(error) from error

    async def ask(self, asked: Asked) -> Told:
        """The answer of a model that reads requests for itself (`guest`); it has its turn like any other."""
        guest = self.guest
        assert guest is not None
        try:
            told: Told = await self._batcher.run(lambda: guest.answer(asked), len(asked.body))
        except Exception as error:
            raise meaning(error) from error
        return told


def meaning(error: Exception) -> Exception:
    """What an error of the model means to who asked."""
    if isinstance(error, InvalidInputError | OverloadedError | TooManyRowsError | TurnedDownError | ModelFailedError):
        return error
    if isinstance(error, ValueError):
        # scikit-learn, XGBoost and pandas raise ValueError for values they cannot take: NaN, an
        # unseen category. The schema cannot know these, the client can mend them.
        return InvalidInputError(f"The model does not take these values: {first_line(error)}")
    return ModelFailedError(first_line(error))
