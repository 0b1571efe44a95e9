"""What runs on the node. Standard library only, because it shares the image of the small shop."""
