"""Media types of request bodies."""


def is_json(content_type: str) -> bool:
    """Return whether a `Content-Type` declares JSON: `application/json`, or a type that ends in `+json`."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
