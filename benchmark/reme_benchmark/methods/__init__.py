"""Methods: whatever is asked to repair, behind one small interface."""
