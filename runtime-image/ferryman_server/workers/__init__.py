"""Several processes that serve one pod: a parent that accepts connections, and workers that answer them."""
