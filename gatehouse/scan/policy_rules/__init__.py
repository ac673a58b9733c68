"""The rules of the policy lint by concern: one rule, one function.

A rule is a function from a policy to what it finds wrong in it; ``policy_lint`` has the table of them by id.
"""
