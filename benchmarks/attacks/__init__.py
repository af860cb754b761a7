"""What is tried against failsoft: each kind of attack in one module."""
