"""Ferryman's operator: carries models from a registry into production, and can always row back."""

__version__ = "0.1.0"
