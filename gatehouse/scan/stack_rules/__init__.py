"""Rules of the stack lint by concern: what must be there, and what must hold between resources.

A rule is a function from a stack to what it finds wrong in it; ``stack_lint`` has the table of them by id. What is
missing is found, not passed over.
"""
