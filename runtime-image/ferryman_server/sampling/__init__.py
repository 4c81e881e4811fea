"""A few requests with their answers, kept in memory, to compare what two revisions say to the same."""
