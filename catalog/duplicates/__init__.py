"""Near duplicates: images that look alike by their perceptual hash."""
