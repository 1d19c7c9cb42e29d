from job.score.observer import Stage
from job.telemetry.profile import table


def test_threads_and_stages_add_up():
    """A row for each thread in natural order, then the sums, the CPU time, and shares."""
    times = {
        ("MainThread", Stage.PLAN): (1.0, 0.5),
        ("part_10", Stage.READ): (2.0, 1.0),
        ("part_9", Stage.READ): (4.0, 3.0),
        ("part_9", Stage.PREDICT): (2.0, 2.0),
        ("MainThread", Stage.GATHER): (1.0, 0.25),
    }
    assert table(times, 8.5).splitlines() == [
        "Time: 8.50 s from start to end; seconds of each thread in each stage:",
        "thread       plan  read  predict  write  gather    all",
        "MainThread   1.00  0.00     0.00   0.00    1.00   2.00",
        "part_9       0.00  4.00     2.00   0.00    0.00   6.00",
        "part_10      0.00  2.00     0.00   0.00    0.00   2.00",
        "all threads  1.00  6.00     2.00   0.00    1.00  10.00",
        "CPU time     0.50  4.00     2.00   0.00    0.25   6.75",
        "share        10 %  60 %     20 %    0 %    10 %  100 %",
    ]


def test_a_run_that_failed_at_once_has_a_table_too():
    """All its shares are 0, without dividing by zero."""
    assert table({}, 0.0).splitlines()[-1].split() == ["share", *["0", "%"] * 6]
