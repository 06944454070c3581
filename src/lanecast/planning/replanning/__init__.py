"""Planning again as days pass: the closed loop, what a day costs, when to plan anew."""
