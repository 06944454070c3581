"""A picture that cannot be drawn is a warning, and names stand in pictures as they are."""

import pytest

from lanecast.report.canvas import canvas
from lanecast.report.pictures import keep_picture, picture_or_warning

NAMES = ["US$1_{x>US$9", r"$\frac$", "$", "a$b$c_d^e", r"\$5 and \$6"]


class Folder:
    """What `keep_picture` needs of a run."""

    def __init__(self, folder, *, leads=True):
        self.folder, self.leads = folder, leads
        self.warnings, self.images = [], []

    def warn(self, message):
        self.warnings.append(message)

    def image(self, name, path):
        self.images.append((name, path))


@pytest.mark.parametrize("failure", [ValueError("no"), OSError("disk full"), ImportError("none")])
def test_a_picture_that_fails_leaves_a_warning_and_no_part_of_it(tmp_path, failure):
    def draw(path):
        path.write_bytes(b"half")
        raise failure

    run = Folder(tmp_path)
    keep_picture(run, "forecast", draw)
    (warning,) = run.warnings
    assert warning.startswith(f"no picture forecast.png ({type(failure).__name__}: {failure})")
    assert not run.images
    assert not list(tmp_path.iterdir())


def test_a_picture_that_succeeds_is_handed_to_the_mirror(tmp_path):
    run = Folder(tmp_path)
    keep_picture(run, "forecast", lambda path: path.write_bytes(b"all"))
    assert run.images == [("forecast", tmp_path / "forecast.png")]
    assert not run.warnings


def test_only_the_leading_process_draws(tmp_path):
    keep_picture(Folder(tmp_path, leads=False), "forecast", pytest.fail)


def test_a_stop_from_outside_is_no_failed_picture(tmp_path):
    def draw(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        picture_or_warning(tmp_path / "a.png", draw, pytest.fail)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_dollars_is_drawn_as_it_is(tmp_path, name):
    with canvas(tmp_path / "a.png", (3, 2)) as figure:
        axes = figure.add_subplot()
        axes.plot([1, 2], label=name)
        axes.set_title(name)
        axes.set_xticks([0, 1], [name, "x"])
        axes.barh([name], [1.0])
        axes.legend()
    texts = [axes.title, *axes.get_xticklabels(), *axes.get_yticklabels()]
    assert not any(text.get_parse_math() for text in [*texts, *axes.get_legend().get_texts()])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
