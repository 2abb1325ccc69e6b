"""Training of landmark models (extra ``train``): films and labels in, checkpoint and ONNX file out."""
