"""Model versions: activating, re-scoring, comparing, recording, SQL and ONNX."""
