"""The Open Inference Protocol over gRPC, beside REST and in the same event loop."""
