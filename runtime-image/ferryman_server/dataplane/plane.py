"""The data plane of one loaded model: rows in, answer out, and what went wrong in its own words."""

from ferryman_server.dataplane import batch
from ferryman_server.dataplane.errors import InvalidInputError, ModelFailedError, OverloadedError
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.reason import first_line


class DataPlane:
    """Predicts; knows no protocol."""

    def __init__(self, model: Model, batcher: batch.Batcher) -> None:
        self.model = model
        self._batcher = batcher

    async def predict(self, rows: Rows) -> Answer:
        """The answer, or `InvalidInputError` if the model says that the values are to blame."""
        try:
            return await self._batcher.submit(rows)
        except (InvalidInputError, OverloadedError):
            raise
        except ValueError as error:
            # scikit-learn, XGBoost and pandas raise ValueError for values they cannot take: NaN, an
            # unseen category. The schema cannot know these, the client can mend them.
            raise InvalidInputError(f"The model does not take these values: {first_line(error)}") from error
        except Exception as error:
            raise ModelFailedError(first_line(error)) from error
