"""midmile-do: the frozen benchmark of what-if forecasts, on a network whose truth is known.

`protocol` says what is asked, `judging` what it is compared with, `cells` trains and asks one
entrant after another, `tables` and `verb` make the table.  docs/midmile-do.md is for entrants.
"""
