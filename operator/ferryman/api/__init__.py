"""The words: what a user may wish for, and what the operator may answer."""
