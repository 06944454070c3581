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


class GraphError(LanecastError, ValueError):
    """A declared causal graph contradicts itself, the data config or the windows."""


class NotIdentified(LanecastError, ValueError):
    """A causal effect cannot be told from hidden confounding under the declared graph."""


class ScenarioError(LanecastError, ValueError):
    """A question about an action that cannot be answered: what it means, or what is trained."""


class WorseError(LanecastError):
    """A comparison that was asked to fail found a run that is worse."""


class PlanError(LanecastError, ValueError):
    """A plan cannot be made or priced: its parameters, its volumes, or the two together."""
