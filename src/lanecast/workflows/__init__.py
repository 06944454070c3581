"""One file per command: compose, call a core, write the run folder."""
