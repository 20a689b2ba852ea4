"""What people hand in: which file is which sample's, archives taken apart with care, and what is declared of a model."""
