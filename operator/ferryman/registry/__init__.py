"""The model registry: the only place that talks to MLflow."""
