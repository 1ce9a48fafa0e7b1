"""Planning: a recipe and facts become a plan of exact integers, within limits."""
