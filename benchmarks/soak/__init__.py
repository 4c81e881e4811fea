"""An hour of load at half of what the server can do: no error, and no more memory at the end."""
