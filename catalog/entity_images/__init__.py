"""The images of an entity over the API: their order, the primary one, links."""
