"""What is fetched from a registry."""

import pytest


@pytest.fixture(scope="session")
def registered(tracking_server: str, shelf) -> str:
    """A model named iris with one version whose files are there, and one whose files are gone."""
    import mlflow

    mlflow.set_tracking_uri(tracking_server)
    mlflow.set_experiment("tests")
    client = mlflow.MlflowClient()
    client.create_registered_model("iris")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(shelf.mlflow_sklearn()), "model")
    client.create_model_version("iris", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.create_model_version("iris", f"{run.info.artifact_uri}/gone", run.info.run_id)
    mlflow.sklearn.log_model(
        shelf.named_pipeline, name="logged", registered_model_name="iris", signature=shelf.signature,
        pip_requirements=["scikit-learn"],
    )  # fmt: skip
    return tracking_server
