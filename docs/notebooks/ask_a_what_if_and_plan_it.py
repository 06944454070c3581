"""
Ask a what-if and plan it
=========================

X
"""

# %%
print(1)
