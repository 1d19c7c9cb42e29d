from job.report.plots import Cell, heat_map


def test_cells_have_their_share_of_the_row():
    """Right and wrong shares have colours of their own, by fixed bounds; empty cells and rows have none."""
    right, wrong = heat_map([[990, 10], [0, 0]])[0]
    assert right == Cell(990, 0.99, "right6")
    assert wrong == Cell(10, 0.01, "wrong5")
    assert heat_map([[990, 10], [0, 0]])[1] == [Cell(0, None, ""), Cell(0, None, "")]


def test_every_mistake_is_seen():
    """One of a million has a colour, and a digit never named right; an empty cell off the diagonal has none."""
    cells = heat_map([[10**6, 1, 0], [5, 0, 0], [0, 0, 1]])
    assert [cell.style for cell in cells[0]] == ["right6", "wrong1", ""]
    assert [cell.style for cell in cells[1]] == ["wrong7", "right0", ""]
