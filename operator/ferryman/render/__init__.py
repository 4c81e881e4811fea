"""One pure function per child kind: a revision or a split in, the literal manifest out."""
