"""URLs of images: thumbnails, responsive markup, redirects, signatures."""
