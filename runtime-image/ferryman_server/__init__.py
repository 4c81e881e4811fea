"""The Ferryman model server: fetch, load, warm up, answer."""

__version__ = "0.1.0"
