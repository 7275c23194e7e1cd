"""The file: read at one gate, viewed as a graph, run by onnxruntime."""
