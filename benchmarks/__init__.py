"""What we cost, what our checks catch, what plans cost: for those who work in a checkout."""
