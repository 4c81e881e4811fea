"""Answers that the replicas share through a Redis: a help where it is near, and nothing lost where it is not."""
