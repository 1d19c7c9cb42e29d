"""How a model does on images unlike those that it was trained on; in model.json, and in what `evaluate` writes."""

from typing import Annotated, TypedDict

from job.documents.allowed import Count, Name, Share

_Text = Annotated[str, Name()]


class JudgedImages(TypedDict):
    """The accuracy on some images, and how sure the network is of them: as they are, and as `score` takes them."""

    accuracy: Share
    correct: Count
    rows: Count
    confidence: Annotated[Share, "mean; where it is far above the accuracy, confidences cannot be trusted"]
    form: Annotated[
        str, "what `score` does to a file of such images, by default or as `--normalize` says: `as stored`, or in words"
    ]
    scored_accuracy: Annotated[Share, "after that"]
    scored_confidence: Annotated[Share, "after that"]


class GroupAccuracy(TypedDict):
    """The accuracy on the images of one group."""

    group: _Text
    accuracy: Share
    correct: Count
    rows: Count


class GroupFigures(TypedDict):
    """The accuracy by group, such as by writer; each group counts once, however many images it has."""

    name: Annotated[_Text, "what the groups are: `writer`, or the column that tells them"]
    groups: Count
    rows: Count
    below_95: Annotated[Count, "groups with an accuracy below 95 %"]
    below_95_by_chance: Annotated[float, "how many to expect if all groups were equally easy; small groups vary much"]
    quantiles: Annotated[dict[str, Share], "accuracy that this share of the groups does not exceed: `0`, `0.05`, ..."]
    worst: Annotated[list[GroupAccuracy], "least accurate first"]


class Robustness(TypedDict):
    """What corruptions, digits of another origin and single writers do to the accuracy."""

    seed: Annotated[Count, "of the corruptions, and of the images drawn"]
    clean: Annotated[JudgedImages, "the images that are corrupted, as they are"]
    corruptions: Annotated[dict[str, JudgedImages], "the same images, corrupted in the manner of MNIST-C, by name"]
    mean_error: Annotated[Share, "mean of 1 - accuracy over the corruptions"]
    scored_mean_error: Annotated[Share, "the same of images as `score` takes them"]
    relative_error: Annotated[float | None, "mean_error, divided by the error on `clean`; null where that is 0"]
    optdigits: Annotated[JudgedImages | None, "scikit-learn's 1,797 digits in MNIST's form; null if trained on them"]
    groups: Annotated[GroupFigures | None, "all test images by writer; null where writers are unknown"]
    notes: Annotated[list[_Text], "what limits these figures"]
