"""model.json, the model's card: the network, its training data, its accuracy, and the digests of its files."""

from typing import Annotated, Literal, NotRequired, TypedDict

from job.documents.allowed import Between, Count, Name, Share
from job.documents.robustness_json import Robustness

Text = Annotated[str, Name()]


class InputSignature(TypedDict):
    """The network's input."""

    dtype: str
    shape: list[int]
    range: list[int]
    background: NotRequired[int]
    scale: NotRequired[Annotated[float, "of quantized values"]]
    zero_point: NotRequired[Annotated[int, "of quantized values"]]


class OutputSignature(TypedDict):
    """The network's output."""

    dtype: str
    shape: list[int]


class BinCounts(TypedDict):
    """A distribution as counts."""

    edges: Annotated[list[int], "lowest value of each bin"]
    counts: list[Count]


class TrainingDistribution(TypedDict):
    """Distributions of the training data, with which scoring compares its inputs."""

    intensity: BinCounts
    ink: BinCounts
    labels: BinCounts


class AddedSourceData(TypedDict):
    """One value of --add."""

    source: Text
    images: Annotated[Count, "labelled ones"]
    unlabelled: Annotated[Count, "skipped, because nobody has labelled them"]
    fingerprint: Annotated[str, "SHA-256 over their pixels and labels"]


class AddedData(TypedDict):
    """Labelled images that were trained on beside the data's own."""

    weight: Annotated[Count, "how often each was trained on"]
    images: Annotated[Count, "different ones that were added"]
    left_out: Annotated[Count, "those that are to validate or to test with"]
    relabelled: Annotated[Count, "training images whose label they corrected"]
    identity: Annotated[str, "what tells them from others, in short"]
    sources: list[AddedSourceData]


class TrainingData(TypedDict):
    """Where the images came from, and how they were split."""

    source: Annotated[Text, "the sources as one text"]
    sources: NotRequired[Annotated[list[Text], "files, folders, patterns or names; absent from older cards"]]
    test_sources: NotRequired[Annotated[list[Text], "of images to test with; empty: they come with the others"]]
    name: Text
    origin: NotRequired[Annotated[str, "where the images were taken from: files, MNIST_DIR, a download, scikit-learn"]]
    fingerprint: Annotated[str, "SHA-256 over all pixels and labels"]
    train_rows: Count
    validation_rows: Count
    test_rows: Count
    warning: Text | None
    label_column: Text | None
    label_map: NotRequired[
        Annotated[dict[str, Annotated[int, Between(0, 9)]] | None, "the digits of labels that are not digits"]
    ]
    scale: Literal["auto", "255", "1"]
    is_transposed: bool
    is_inverted: NotRequired[bool]
    normalize: NotRequired[Literal["auto", "mnist", "none"]]
    seed: Annotated[int, Between(0, (1 << 32) - 1)]
    test_share: NotRequired[Annotated[Share | None, "held out to test with; null: the data has such images"]]
    validation_share: Annotated[Share | None, "held out to validate with; null: the data has such images"]
    train_class_counts: list[Count]
    added: NotRequired[Annotated[AddedData | None, "images of --add; null: there are none; absent from older cards"]]
    in_form: NotRequired[
        Annotated[Share, "of the training images that are in MNIST's form; others, the network expects"]
    ]
    distribution: TrainingDistribution


class RescanSettings(TypedDict):
    """How a share of the training images was scanned again, as by another pen and scanner."""

    share: Share
    shortest: Annotated[int, "lower bound of the longer side of the ink, in coarse pixels"]
    longest: Annotated[int, "its upper bound"]
    stretched: Annotated[Share, "of those whose ink was made square"]
    aspect: Annotated[float, "bound of the change of width by height, in natural logarithms"]
    blur: Annotated[float, "highest weight of each neighbour"]
    contrast: Annotated[float, "highest factor by which pixels moved away from a level"]
    lightest: Annotated[float, "lowest such level"]
    darkest: Annotated[float, "highest such level"]
    noise: Annotated[float, "highest standard deviation"]


class DeformationSettings(TypedDict):
    """The largest random deformations of training images."""

    rotation_degrees: float
    scale: float
    shear: float
    shift_pixels: float
    elastic_pixels: float
    rescan: NotRequired[Annotated[RescanSettings | None, "absent from older cards"]]


class TrainingSettings(TypedDict):
    """The recipe that was used."""

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    is_annealed: bool
    optimizer: str
    weight_decay: float
    deformations: DeformationSettings | None
    epoch_images: int
    arch: str
    hidden: list[int]
    activation: str
    dropout: float
    early_stopping: int | None
    class_weights: str
    kept_epoch: Annotated[int, "the epoch whose weights were kept"]


class SplitMetrics(TypedDict):
    """The network's accuracy and loss on one split."""

    accuracy: Share
    correct: Count
    rows: Count
    loss: float


class EpochFigures(TypedDict):
    """One epoch of the training."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: NotRequired[Annotated[float, "at the epoch's end; cards of earlier versions lack it"]]
    seconds: float


class ExportSignature(TypedDict):
    """What an export takes and gives."""

    input: InputSignature
    output: OutputSignature


class ExportFigures(TypedDict):
    """How closely an exported file agrees with the network."""

    rows: int
    same_digits: int
    max_difference: Annotated[float, "largest difference of a probability"]
    correct: NotRequired[int]
    input: NotRequired[InputSignature]
    output: NotRequired[OutputSignature]


class CalibrationSection(TypedDict):
    """Temperature scaling, and the calibration error before and after it."""

    temperature: float
    validation_before: float
    validation_after: float
    test_before: float
    test_after: float


class ConfidenceCounts(TypedDict):
    """Labelled rows by confidence. A doubt is the distance of a confidence from 1."""

    doubts: Annotated[list[Annotated[int, Between(0, 1_000_000)]], "highest doubt of each bin, in millionths"]
    right: Annotated[list[Count], "rows classified correctly"]
    wrong: Annotated[list[Count], "misclassified rows"]


class HeldOutSection(ConfidenceCounts):
    """The scorer's confidences on labelled images that were not trained on: what `score --max-error` promises by."""

    split: Annotated[Literal["validation"], "which of the card's splits they are; it was used to calibrate, too"]
    rows: Count
    is_by_writer: Annotated[bool, "whether no writer of these images wrote training images, too"]


class GateComparison(TypedDict):
    """The model compared with another on the same images."""

    path: str
    digest: str
    accuracy: float
    only_other: int
    only_this: int
    p_value: float


class GateSection(TypedDict):
    """Whether the model passed its quality gate."""

    verdict: Literal["blessed", "not_blessed", "not_gated"]
    shortfalls: list[Text]
    min_accuracy: float | None
    compared_to: GateComparison | None


class GoldenSection(TypedDict):
    """Images with the network's probabilities. Every run checks the network against them."""

    pixels: Annotated[str, "uint8 (n, 784) in base64"]
    probabilities: Annotated[list[list[Annotated[float, Between(-0.001, 1.001)]]], "float32 (n, 10)"]


class AdapterSection(TypedDict):
    """How the ONNX file of a network from elsewhere is fed, and its output read."""

    shape: Annotated[list[int], "of one image"]
    dtype: str
    range: Annotated[str, "of its input: 255, 1, -1..1 or standard"]
    rows: Annotated[int | None, "the number of images that it is fixed to"]
    output: Annotated[str, "probabilities, logits or sigmoids"]


class CardIdentity(TypedDict):
    """What every card has, also that of a network trained elsewhere."""

    name: Text
    created: Annotated[str, "ISO 8601"]
    recipe: Text
    architecture: Text
    parameters: Count
    input: InputSignature
    classes: list[str]
    versions: dict[str, str]


class CardContent(CardIdentity):
    """A card without its digests and golden rows."""

    data: Annotated[TrainingData | None, "null for a network from elsewhere"]
    metrics: Annotated[dict[str, SplitMetrics], "by split: `validation`, `test`; empty for a network from elsewhere"]
    export: Annotated[dict[str, ExportFigures], "by file name"]
    training: NotRequired[TrainingSettings]
    seeds: NotRequired[dict[str, int]]
    history: NotRequired[list[EpochFigures]]
    calibration: NotRequired[CalibrationSection]
    held_out: NotRequired[Annotated[HeldOutSection, "cards of earlier versions lack it"]]
    gate: NotRequired[GateSection]
    robustness: NotRequired[Annotated[Robustness, "cards of earlier versions lack it"]]
    adapter: NotRequired[AdapterSection]


class TrainedCard(CardIdentity):
    """The card of a network that `train` trained, its integrity aside."""

    data: TrainingData
    metrics: dict[str, SplitMetrics]
    export: dict[str, ExportFigures]
    training: TrainingSettings
    seeds: dict[str, int]
    history: list[EpochFigures]
    calibration: CalibrationSection
    held_out: HeldOutSection
    gate: GateSection
    robustness: NotRequired[Annotated[Robustness, "cards of earlier versions lack it"]]


class Card(CardContent):
    """The content of model.json."""

    format: int
    files: Annotated[dict[str, str], "SHA-256 of each file by name"]
    golden: GoldenSection
    sha256: Annotated[str, "of the card's JSON without this key, keys sorted, without spaces"]
