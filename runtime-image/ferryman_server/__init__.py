"""The Ferryman model server: fetch, load, warm up, answer.

A model's pod tells nobody outside the cluster what it serves. ONNX Runtime and MLflow report their use unless told
not to before they are imported; whoever wants that sets the variables otherwise.
"""

import os

__version__ = "0.1.0"

SILENT = {"ORT_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

for _name, _value in SILENT.items():
    os.environ.setdefault(_name, _value)
