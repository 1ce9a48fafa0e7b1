"""Images: their focal points and URLs."""
