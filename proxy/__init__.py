"""The delivery plane: a signed URL becomes a picture."""
