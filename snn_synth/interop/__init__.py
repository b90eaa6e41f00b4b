"""Export to and import from other tools: NIR, ONNX, NeuroBench."""
