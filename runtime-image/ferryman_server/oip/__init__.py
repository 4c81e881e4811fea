"""What the Open Inference Protocol means whichever way it comes: REST and gRPC read and write tensors alike."""
