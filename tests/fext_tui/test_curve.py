"""The loss as lines of braille dots."""

from rich.cells import cell_len

from fext_tui.curve import LossCurve


def dots(text: str) -> list[tuple[int, int]]:
    return [
        (row, column)
        for row, line in enumerate(text.split("\n"))
        for column, character in enumerate(line)
        if 0x2800 < ord(character) <= 0x28FF
    ]


def test_a_falling_loss_falls_and_fits() -> None:
    curve = LossCurve()
    assert not curve
    for step in range(200):
        curve.add("train/loss", step, 1 - step / 200)
    curve.add("learning_rate", 1, 5.0)
    shown = curve.draw(60, 12).plain
    lines = shown.split("\n")
    assert len(lines) <= 12
    assert max(map(cell_len, lines)) <= 60
    places = dots(shown)
    columns = sorted({column for _, column in places})
    first = min(row for row, column in places if column == columns[0])
    last = max(row for row, column in places if column == columns[-1])
    assert (first, last) == (0, max(row for row, _ in places))
    assert "199" in lines[-1]


def test_a_resume_draws_over_what_lay_beyond_its_step() -> None:
    curve, wanted = LossCurve(), LossCurve()
    for step in range(100):
        curve.add("train/loss", step, 1.0 if step < 50 else 9.0)
        wanted.add("train/loss", step, 1.0 if step < 50 else 2.0)
    for step in range(50, 100):
        curve.add("train/loss", step, 2.0)
    assert curve.draw(60, 12) == wanted.draw(60, 12)


def test_a_long_run_keeps_its_first_and_last_point() -> None:
    curve = LossCurve()
    for step in range(50_000):
        curve.add("train/loss", step, float(step))
    shown = curve.draw(60, 12).plain
    assert "49,999" in shown
    assert len(dots(shown)) > 40
