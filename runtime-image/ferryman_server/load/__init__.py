"""Artefact to model: what it is, whether it may be trusted, and how it predicts."""
