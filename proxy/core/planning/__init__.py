"""Planning: recipe and facts to a plan of exact integers, within limits."""
