"""Turns a scikit-learn estimator into an ONNX graph that answers the same, but faster."""
