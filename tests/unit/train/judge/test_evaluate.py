import math

import numpy as np
import pytest

from job.train.judge.evaluate import evaluate


def _probabilities(predicted, confidence=0.91):
    """`confidence` for the predicted digit, the rest shared evenly."""
    probabilities = np.full((len(predicted), 10), (1 - confidence) / 9, np.float32)
    probabilities[np.arange(len(predicted)), predicted] = confidence
    return probabilities


@pytest.fixture
def evaluation():
    """Ten images of each digit, with one 4 predicted as 9."""
    labels = np.repeat(np.arange(10, dtype=np.int8), 10)
    predicted = labels.copy()
    predicted[40] = 9
    return evaluate(_probabilities(predicted), labels)


def test_accuracy_is_the_share_of_correct_predictions(evaluation):
    """99 of 100."""
    assert (evaluation.accuracy, evaluation.correct, evaluation.rows) == (0.99, 99, 100)
    assert evaluation.figures["accuracy"] == 0.99


def test_the_confusion_matrix_is_true_by_predicted(evaluation):
    """The mistake is in row 4, column 9."""
    assert evaluation.confusion_matrix[4][9] == 1
    assert evaluation.confusion_matrix[4][4] == 9
    assert sum(map(sum, evaluation.confusion_matrix)) == 100


def test_each_digit_has_its_figures(evaluation):
    """The mistake lowers the precision of the predicted digit, and the recall of the true one."""
    assert evaluation.per_class["4"] == {"precision": 1.0, "recall": 0.9, "f1": pytest.approx(18 / 19), "support": 10}
    assert evaluation.per_class["9"]["precision"] == pytest.approx(10 / 11)


def test_the_loss_is_mean_cross_entropy_in_nats(evaluation):
    """By hand: 99 times -ln 0.91 and once -ln 0.01."""
    assert evaluation.loss == pytest.approx((-99 * math.log(0.91) - math.log(0.01)) / 100, rel=1e-5)


def test_a_digit_that_never_occurs_is_not_an_error():
    """All of its figures are 0."""
    evaluation = evaluate(_probabilities([1, 1, 2]), np.array([1, 1, 2], np.int8))
    assert evaluation.accuracy == 1
    assert evaluation.per_class["0"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}


def test_the_text_is_for_the_terminal(evaluation):
    """The confusion matrix and scikit-learn's classification report."""
    lines = evaluation.text.splitlines()
    assert lines[0].startswith("confusion matrix")
    assert lines[6].split() == ["4", ".", ".", ".", ".", "9", ".", ".", ".", ".", "1"]
    assert "precision" in evaluation.text
    assert "macro avg" in evaluation.text
