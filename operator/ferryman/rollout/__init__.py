"""The rollout as values: what just became true, where that leads, and how traffic is split meanwhile."""
