"""What is kept on disk in a form that runs nothing when it is read."""
