"""What a run leaves behind: its folder is the truth, Weights & Biases a mirror of it."""
