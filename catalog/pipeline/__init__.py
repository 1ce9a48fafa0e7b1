"""The pipeline: what is made of an image after its upload."""
