"""Where a model runs beside the service: Spark, SQL, ONNX."""
