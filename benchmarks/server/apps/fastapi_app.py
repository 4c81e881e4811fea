"""What a decent engineer writes without a model server: a pydantic model, NumPy, scikit-learn. For uvicorn."""

import os

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(os.environ["BENCH_MODEL"])
app = FastAPI()


class Question(BaseModel):
    """Rows of numbers."""

    instances: list[list[float]]


class Answer(BaseModel):
    """One class a row."""

    predictions: list[int]


@app.get("/ready")
async def ready() -> dict[str, bool]:
    """Say that the model is there: it was loaded before this app existed."""
    return {"ready": True}


@app.post("/predict")
async def predict(question: Question) -> Answer:
    """Predict on the loop: for models as small as these, a thread costs more than it saves."""
    return Answer(predictions=model.predict(np.asarray(question.instances)).tolist())
