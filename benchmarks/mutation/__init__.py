"""The mutation suite: twenty defects are put into good data, and the checks must catch them."""
