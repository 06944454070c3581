"""The two-stage program and how it is solved: rows, columns, HiGHS, parts, reduction."""
