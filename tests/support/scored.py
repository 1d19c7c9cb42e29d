"""Scored batches without a network."""

import numpy as np

from job.contract import Reason, Reject, ScoredBatch


def scored_batch(random, rows, *, sharpness=0.3, has_labels=True, rejected=0.2):
    """Rows with random probabilities, some without labels, some rejected for random reasons.

    random: a generator. sharpness: lower gives surer probabilities. rejected: the share of rejected rows.
    """
    probabilities = np.round(random.dirichlet(np.full(10, sharpness), rows).astype(np.float32), 6)
    wrong = np.flatnonzero(random.random(rows) < rejected).tolist()
    rejects = tuple(Reject(row, list(Reason)[random.integers(len(Reason))], "wrong") for row in wrong)
    predictions = probabilities.argmax(axis=1).astype(np.int8)
    fatal = [reject.row for reject in rejects if reject.reason.is_fatal]
    predictions[fatal], probabilities[fatal] = -1, 0
    labels = random.integers(-1, 10, rows).astype(np.int8) if has_labels else None
    return ScoredBatch(predictions, probabilities, labels, rejects)


def part_of(batch, start, stop):
    """The rows start to stop of a batch, as a batch."""
    rejects = tuple(each.shifted(-start, 0) for each in batch.rejects if start <= each.row < stop)
    labels = None if batch.labels is None else batch.labels[start:stop]
    return ScoredBatch(batch.predictions[start:stop], batch.probabilities[start:stop], labels, rejects)
