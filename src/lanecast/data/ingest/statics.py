"""Static columns on their way in: one row per series, from either table.

How they are encoded stands in `lanecast.data.statics`.  Axes: ``N`` series.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lanecast.data.ingest.suspects import plain_names
from lanecast.data.schema import ID, Schema
from lanecast.errors import Faults, SchemaError
from lanecast.sources import Provenance


def gather_statics(
    frame: pd.DataFrame,
    statics: pd.DataFrame | None,
    schema: Schema,
    ids_N: np.ndarray,
    faults: Faults,
    *,
    origin: Provenance | None = None,
) -> pd.DataFrame:
    """The declared static columns in the order of ``ids_N``, from either table.

    In the long table a static column must not vary within a series.  Where faults are kept, the
    columns that have none.
    """
    table = pd.DataFrame(index=pd.Index(ids_N, name=ID))
    if statics is not None:
        with faults.within(origin.name if origin is not None else None):
            table = table.join(_one_row_per_series(statics, schema, faults))
    for name in schema.static:
        if name in table:
            continue
        if name not in frame:
            faults.add(
                SchemaError(
                    f"static column {name!r} is declared, but neither the table nor its statics"
                    " have it; supply it or remove its declaration"
                )
            )
            continue
        pairs = frame[[ID, name]].drop_duplicates()
        if (varies := pairs[ID].duplicated()).any():
            series = pairs.loc[varies, ID].iloc[0]
            seen = pairs.loc[pairs[ID] == series, name].tolist()[:2]
            faults.add(
                SchemaError(
                    f"static column {name!r} varies within series {series!r} ({seen[0]!r},"
                    f" {seen[1]!r}; {pairs.loc[varies, ID].nunique()} such series in all); declare"
                    " it observed or known_future, or keep one value"
                )
            )
            continue
        table[name] = pairs.set_index(ID)[name]
    present = [name for name in schema.static if name in table]
    for name in present.copy():
        if (absent := table[name].isna().to_numpy()).any():
            near = "" if statics is None else _near(ids_N[absent][0], statics[ID])
            faults.add(
                SchemaError(
                    f"static column {name!r} is missing for series {ids_N[absent][0]!r}"
                    f" ({int(absent.sum())} in all){near}; supply it or remove its declaration"
                )
            )
            present.remove(name)
    return table[present]


def _near(series: str, ids: pd.Series) -> str:
    """The id of the statics that looks like that of a series without a row there."""
    others = np.asarray(pd.unique(ids.dropna().astype("str")), dtype=object)
    alike = np.flatnonzero(plain_names(others) == plain_names(np.array([series], object))[0])
    return f"; their table has {str(others[alike[0]])!r}" if alike.size else ""


def _one_row_per_series(statics: pd.DataFrame, schema: Schema, faults: Faults) -> pd.DataFrame:
    if ID not in statics:
        raise SchemaError(
            f"the statics table has no {ID} column, only {list(statics.columns)}; add it"
        )
    undeclared = [name for name in statics if name not in (ID, *schema.static)]
    for name in undeclared:
        faults.add(
            SchemaError(
                f"column {name!r} of the statics table is not declared; declare it under"
                " data.schema.columns with role static, or drop it with data.source.drop"
            )
        )
    if (twice := statics[ID].duplicated()).any():
        faults.add(
            SchemaError(
                f"series {statics.loc[twice, ID].iloc[0]!r} has more than one row in the statics"
                " table; keep one"
            )
        )
    return statics[~twice].drop(columns=undeclared).set_index(ID)
