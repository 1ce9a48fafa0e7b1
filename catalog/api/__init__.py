"""What all routes share: authentication, problems, idempotency, cursors, conditions, rate limits, OpenAPI."""
