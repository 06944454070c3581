"""The errors a user can meet; each message names the thing, the place and the way out."""


class LanecastError(Exception):
    """Base of every error that lanecast raises on purpose."""


class SchemaError(LanecastError, ValueError):
    """A table or a column declaration breaks the data contract."""


class LeakageError(LanecastError, ValueError):
    """Something fitted was asked about a time before the end of what it saw."""


class ConfigError(LanecastError, ValueError):
    """A configuration cannot mean what it says."""


class CheckpointError(LanecastError, ValueError):
    """A checkpoint does not belong to the model that tries to load it."""


class RunFolderError(LanecastError, OSError):
    """A run folder cannot be written, or holds a run that would be overwritten."""
