"""Models of which nothing is known but that they are called: each request is one call."""

from concurrent.futures import ThreadPoolExecutor

import mlflow.pyfunc
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from server import process

RANKING = """
import time
import mlflow

class Ranking(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        time.sleep(0.02)  # others come meanwhile
        return model_input["score"].sort_values().to_numpy()

mlflow.models.set_model(Ranking())
"""
CLIENTS = 12


def test_no_client_gets_an_answer_that_was_made_of_anothers_rows(tmp_path):
    (tmp_path / "ranking.py").write_text(RANKING)
    root = tmp_path / "model"
    signature = ModelSignature(Schema([ColSpec("double", "score")]))
    mlflow.pyfunc.save_model(
        root, python_model=str(tmp_path / "ranking.py"), signature=signature, pip_requirements=["mlflow"]
    )

    def ranked(client: int) -> list[float]:
        rows = [{"score": float(client + CLIENTS)}, {"score": float(client)}]
        answer = running.post("/invocations", {"dataframe_records": rows})
        return answer.json()["predictions"]

    with (
        process.server(root, tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        running.until_ready()
        answers = list(pool.map(ranked, range(CLIENTS)))

    assert answers == [[float(client), float(client + CLIENTS)] for client in range(CLIENTS)]
