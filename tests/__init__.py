"""The tests: a package, because others install one of this name too, and the nearer one must win."""
