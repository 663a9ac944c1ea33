"""The kinds of findings in words."""

from engine.analysis.findings import KINDS
from fext_tui.finding_kinds import EXPLANATIONS, TITLES, by_gravity


def test_every_kind_has_a_title_and_an_explanation_in_the_order_of_gravity() -> None:
    assert tuple(TITLES) == tuple(EXPLANATIONS) == KINDS
    assert all(text.endswith(".") and len(text) < 110 for text in EXPLANATIONS.values())
    assert by_gravity({"outlier", "dark", "unreadable"}) == ["unreadable", "dark", "outlier"]
