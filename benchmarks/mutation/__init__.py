"""The mutation suite: twelve defects are put into good data, and the checks must catch them."""
