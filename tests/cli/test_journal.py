"""A study goes on from the last whole line of its journal."""

import pytest

from lanecast.cli.journal import keep_whole_lines
from lanecast.cli.search import open_study
from lanecast.errors import ConfigError


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "bayes.journal"
    study = open_study(path, name="s", direction="minimize")
    for value in (3.0, 1.0):
        trial = study.ask()
        trial.suggest_float("lr", 0, 1)
        study.tell(trial, value)
    return path


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_cut_journal_goes_on_from_its_last_whole_line(journal, cut, caplog):
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-cut])
    keep_whole_lines(journal)
    assert journal.read_bytes() == whole[: whole[:-1].rfind(b"\n") + 1]
    assert "half a line" in caplog.text
    study = open_study(journal, name="s", direction="minimize")
    assert study.trials[0].value == 3.0
    study.tell(study.ask(), 0.5)
    assert open_study(journal, name="s", direction="minimize").best_value == 0.5


def test_an_emptied_journal_begins_anew_and_a_whole_one_stays(journal):
    whole = journal.read_bytes()
    keep_whole_lines(journal)
    assert journal.read_bytes() == whole
    journal.write_bytes(b"")
    assert open_study(journal, name="s", direction="minimize").trials == []


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\x00\n", b"{}\n", b"[]\n", b"\n", b'{"op_code": "x"}\n']
)
def test_a_damaged_line_inside_is_named_with_the_way_out(journal, junk):
    first, rest = journal.read_bytes().split(b"\n", 1)
    journal.write_bytes(first + b"\n" + junk + rest)
    with pytest.raises(ConfigError, match=r"bayes\.journal: line 2 .*remove it"):
        open_study(journal, name="s", direction="minimize")
