"""Images: focal points, URLs."""
