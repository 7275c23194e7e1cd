"""What is called from Python: an explainer, a single explanation, the channels of a class."""
