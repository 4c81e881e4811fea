"""The fault campaign: the operator against a real apiserver that a proxy makes fail, one plan at a time."""
