"""What serving means, without HTTP: schema in, NumPy through the model, NumPy out."""
