"""CSV files of the same 40 digits as other programs write them: pandas, R, NumPy, spreadsheets, OpenML, Kaggle.

Each of FILES is a function that returns the file's text or bytes; nothing is written when this module is imported.
"""

import io

import numpy as np

from job.contract import DIGIT_NAMES
from support.files import PIXEL_NAMES, make_digits

MARK = b"\xef\xbb\xbf"
GRID = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]
# As in MNIST, the corners are background.
DIGITS = make_digits(40, seed=5)
DIGITS.pixels[:, [0, 27, 756, 783]] = 0
ROWS = np.arange(len(DIGITS))
FIRST = np.column_stack([DIGITS.labels, DIGITS.pixels])
LAST = np.column_stack([DIGITS.pixels, DIGITS.labels])
FRACTIONS = DIGITS.pixels / 255


def frame(content, **how):
    """A pandas DataFrame."""
    import pandas as pd

    return pd.DataFrame(content, **how)


def table(digits=DIGITS, names=PIXEL_NAMES, label="label", *, is_last=False):
    """Pixels and labels as a DataFrame; without labels if `label` is None."""
    content = frame(digits.pixels, columns=list(names))
    if label is not None:
        content.insert(784 if is_last else 0, label, digits.labels)
    return content


def csv_of(content, **how):
    """What pandas writes of a DataFrame."""
    buffer = io.StringIO()
    content.to_csv(buffer, **{"index": False, "lineterminator": "\n", **how})
    return buffer.getvalue()


def r_csv(digits=DIGITS, *, delimiter=",", decimal=".", quote='"', names=None, has_corner=True, scale=1):
    """What R's write.csv, write.csv2 and write.table write: quoted names, and row names from "1"."""
    names = names or ["label", *PIXEL_NAMES]
    corner = [""] if has_corner else []
    lines = [delimiter.join(f"{quote}{name}{quote}" for name in corner + list(names))]
    for row, (label, pixels) in enumerate(zip(digits.labels, digits.pixels, strict=True)):
        values = [f"{value / scale:.15g}".replace(".", decimal) for value in pixels.tolist()]
        lines.append(delimiter.join([f"{quote}{row + 1}{quote}", str(label), *values]))
    return "\n".join(lines) + "\n"


def numbers(array, form=str, delimiter=","):
    """Rows of numbers without a header."""
    return "".join(delimiter.join(form(value) for value in row) + "\n" for row in array.tolist())


def decimal_commas(array):
    """The same as a spreadsheet writes it in many European languages."""
    return numbers(array, lambda value: str(value).replace(".", ","), ";")


def savetxt(array, **how):
    """What numpy.savetxt writes."""
    buffer = io.StringIO()
    np.savetxt(buffer, array, **how)
    return buffer.getvalue()


def beside(*columns):
    """Columns side by side."""
    return np.column_stack(columns)


def named(form, first=0):
    """Names by row and column, such as `r{row}c{column}`; with the labels in front."""
    cells = [(row, column) for row in range(first, 28 + first) for column in range(first, 28 + first)]
    return csv_of(table(names=[form.format(row=row, column=column) for row, column in cells]))


def in_one_field(form, **how):
    """A label, a file's name and the whole image as text."""
    images = [form(image) for image in DIGITS.pixels]
    return csv_of(frame({"label": DIGITS.labels, "image": images, "id": ROWS}), **how)


def arff(data=None):
    """What OpenML's mnist_784 looks like."""
    declared = [f"@ATTRIBUTE {name} REAL" for name in PIXEL_NAMES] + ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}"]
    return "\n".join(["% MNIST", "%", "@RELATION mnist_784", "", *declared, "", "@DATA", data or numbers(LAST)])


def in_text_column(encoding):
    """A column of text with umlauts, which quotes may enclose."""
    names = ["Größe", "plain", "a, b", "ß"] * 10
    return csv_of(table().assign(note=names, other="x")).encode(encoding)


def saved_twice():
    """A DataFrame that was written with its index, read and written again."""
    import pandas as pd

    return csv_of(pd.read_csv(io.StringIO(csv_of(table(), index=True))), index=True)


# Files that hold labels
FILES = {
    "Kaggle's train.csv": lambda: csv_of(table()),
    # OpenML
    "OpenML": lambda: csv_of(table(names=[f"pixel{n}" for n in range(1, 785)], label="class", is_last=True)),
    "OpenML, labels in double quotes": lambda: csv_of(
        table(label="class", is_last=True).astype({"class": str}), quoting=2
    ),
    "OpenML, labels in single quotes": lambda: csv_of(
        table(label="class", is_last=True).assign(**{"class": [f"'{label}'" for label in DIGITS.labels]})
    ),
    "OpenML, names in single quotes": lambda: csv_of(table().rename(columns=lambda name: f"'{name}'")),
    "MNIST in CSV": lambda: csv_of(table(names=GRID)),
    # Without a header
    "headerless, label first": lambda: numbers(FIRST),
    "headerless, label last": lambda: numbers(LAST),
    "headerless, row numbers from 0 and label first": lambda: numbers(beside(ROWS, FIRST)),
    "headerless, row numbers from 1 and label last": lambda: numbers(beside(ROWS + 1, LAST)),
    "headerless, quoted row numbers": lambda: csv_of(
        frame(FIRST, index=[str(row) for row in ROWS + 1]), header=False, index=True, quoting=2
    ),
    "headerless, names of digits": lambda: csv_of(
        table().assign(label=[DIGIT_NAMES[label] for label in DIGITS.labels]), header=False
    ),
    # 785 columns numbered alike
    "pandas' names from 0 with the label first": lambda: csv_of(frame(FIRST)),
    "pandas' names from 0 with the label last": lambda: csv_of(frame(LAST)),
    "pandas' names from 0 with the label first and an index": lambda: csv_of(frame(FIRST), index=True),
    "R's names from V1 with the label first": lambda: csv_of(frame(FIRST, columns=[f"V{n}" for n in range(1, 786)])),
    "R's names from V1 with the label last": lambda: csv_of(frame(LAST, columns=[f"V{n}" for n in range(1, 786)])),
    # Spreadsheets
    "semicolons": lambda: csv_of(table(), sep=";"),
    "tabs": lambda: csv_of(table(), sep="\t"),
    "bars": lambda: csv_of(table(), sep="|"),
    "semicolons, headerless": lambda: csv_of(table(), sep=";", header=False),
    "tabs, headerless, label last": lambda: numbers(LAST, delimiter="\t"),
    "Excel's declaration of the delimiter": lambda: "sep=;\r\n" + csv_of(table(), sep=";", lineterminator="\r\n"),
    "CRLF": lambda: csv_of(table(), lineterminator="\r\n"),
    "byte order mark": lambda: MARK + csv_of(table(), sep=";").encode(),
    "everything quoted": lambda: csv_of(table(), quoting=1),
    "everything quoted, semicolons and CRLF": lambda: csv_of(table(), sep=";", quoting=1, lineterminator="\r\n"),
    "spaces around names and numbers": lambda: csv_of(table()).replace(",", " , "),
    "no newline at the end": lambda: csv_of(table()).rstrip("\n"),
    "blank lines": lambda: csv_of(table()).replace("\n", "\n\n"),
    "blank lines above": lambda: "\n\r\n" + csv_of(table()),
    "blank lines above, headerless": lambda: MARK + b"\n\n" + numbers(FIRST).encode(),
    "empty columns at the end": lambda: csv_of(table()).replace("\n", ",,,\n"),
    # Row numbers
    "pandas' index": lambda: csv_of(table(), index=True),
    "pandas' index, saved twice": saved_twice,
    "R's write.csv": r_csv,
    "R's write.csv2": lambda: r_csv(delimiter=";"),
    "R's write.table": lambda: r_csv(delimiter=" ", has_corner=False),
    "R's write.table with a blank line at the end": lambda: r_csv(delimiter=" ", has_corner=False) + "\n",
    "R's write.table with tabs and without quotes": lambda: r_csv(delimiter="\t", has_corner=False, quote=""),
    # Floats
    "floats": lambda: csv_of(table().astype(float)),
    "floats with a decimal comma": lambda: csv_of(table().astype(float), sep=";", decimal=","),
    "floats, headerless": lambda: numbers(FIRST.astype(float)),
    "floats with a decimal comma, headerless, label last": lambda: decimal_commas(LAST.astype(float)),
    "floats with a decimal comma, headerless, row numbers": lambda: decimal_commas(beside(ROWS, FIRST).astype(float)),
    "floats with a decimal comma, names from 0 with the label last": lambda: csv_of(
        frame(LAST.astype(float)), sep=";", decimal=","
    ),
    "numpy.savetxt of integers": lambda: savetxt(FIRST, fmt="%d", delimiter=","),
    "numpy.savetxt by default": lambda: savetxt(FIRST),
    # Lines that are no records, and delimiters too many
    "a delimiter at the end of records": lambda: csv_of(table()).replace("\n", ",\n").replace(",\n", "\n", 1),
    "a delimiter at the end of records, headerless": lambda: numbers(FIRST).replace("\n", ",\n"),
    "a delimiter at the end of the header": lambda: csv_of(table()).replace("\n", ",,\n", 1),
    "two tabs at the end of records": lambda: csv_of(table(), sep="\t").replace("\n", "\t\t\n").replace("\t\t", "", 1),
    "comments above": lambda: "# made by a program\n#\n  # 2024\n" + csv_of(table()),
    "comments above, headerless": lambda: "# made by a program\n\n" + numbers(FIRST),
    "a header in a comment": lambda: savetxt(FIRST, fmt="%d", delimiter=",", header=",".join(["label", *PIXEL_NAMES])),
    "a header in a comment, spaces": lambda: savetxt(LAST, fmt="%d", header=" ".join([*PIXEL_NAMES, "label"])),
    "a header in the second comment": lambda: "# 2024\n#" + csv_of(table()),
    "PowerShell": lambda: (
        "#TYPE System.Management.Automation.PSCustomObject\r\n" + csv_of(table(), quoting=1, lineterminator="\r\n")
    ),
    "a title": lambda: "My digits\n" + csv_of(table()),
    "titles and blank lines": lambda: "My digits,,\n2024,March\n\n" + csv_of(table()),
    "a title with empty fields": lambda: "My digits" + "," * 784 + "\n" + csv_of(table()),
    "ARFF": arff,
    "ARFF with a comment": lambda: arff("% 40 digits\n" + numbers(LAST)),
    # Spaces that align columns
    "numpy.savetxt of aligned integers": lambda: savetxt(FIRST, fmt="%5d"),
    "aligned to the left": lambda: savetxt(FIRST, fmt="%-5d"),
    "DataFrame.to_string": lambda: table().to_string(),
    "DataFrame.to_string without the index": lambda: table().to_string(index=False),
    # Encodings
    "UTF-16": lambda: csv_of(table()).encode("utf-16"),
    "UTF-16, big-endian, tabs": lambda: (
        b"\xfe\xff" + csv_of(table(), sep="\t", lineterminator="\r\n").encode("utf-16-be")
    ),
    "Latin-1": lambda: in_text_column("latin-1"),
    "UTF-8 with umlauts": lambda: in_text_column("utf-8"),
    # Names
    **{
        form: lambda form=form: named(form)
        for form in ("px_{row}_{column}", "r{row}c{column}", "p[{row}][{column}]", "p{row:02}{column:02}")
    },
    **{f"{form} from 1": lambda form=form: named(form, 1) for form in ("p_{row}_{column}", "row{row}_col{column}")},
    **{
        form: lambda form=form: named(form)
        for form in (
            "x{column}y{row}",
            "w{column}_h{row}",
            "h{row}w{column}",
            "pixel_x{column}_y{row}",
            "({row}, {column})",
        )
    },
    "pixel_0": lambda: csv_of(table(names=[f"pixel_{number}" for number in range(784)])),
    "pixel[0]": lambda: csv_of(table(names=[f"pixel[{number}]" for number in range(784)])),
    # Images in one field
    "images as text with spaces": lambda: in_one_field(lambda image: " ".join(map(str, image))),
    "images as lists": lambda: in_one_field(lambda image: str(image.tolist())),
    "images as lists of rows": lambda: in_one_field(lambda image: str(image.reshape(28, 28).tolist())),
    "images as lists, tabs": lambda: in_one_field(lambda image: str(image.tolist()), sep="\t"),
    "images as floats, headerless": lambda: in_one_field(
        lambda image: " ".join(map(str, image.astype(float))), columns=["label", "image"], header=False
    ),
    "images that NumPy printed": lambda: in_one_field(lambda image: np.array2string(image, threshold=1000)),
    # Numbers up to rounding errors
    "rounding errors": lambda: csv_of(
        frame((DIGITS.pixels / 255).astype(np.float32) * np.float32(255), columns=PIXEL_NAMES).assign(
            label=DIGITS.labels
        )
    ),
    "quoted decimal commas": lambda: csv_of(table().astype(float), quoting=1).replace(".", ","),
    # Fractions
    "quoted decimal commas of fractions": lambda: numbers(
        beside(DIGITS.labels, FRACTIONS), lambda value: f'"{value:g}"'.replace(".", ",")
    ),
    "fractions": lambda: csv_of(
        table().astype(dict.fromkeys(PIXEL_NAMES, float)).assign(**dict(zip(PIXEL_NAMES, FRACTIONS.T, strict=True)))
    ),
    "fractions, headerless": lambda: numbers(beside(DIGITS.labels, FRACTIONS)),
    "fractions, headerless, label last": lambda: numbers(beside(FRACTIONS, DIGITS.labels)),
    "fractions by numpy.savetxt": lambda: savetxt(beside(DIGITS.labels, FRACTIONS)),
    "fractions by R's write.csv": lambda: r_csv(scale=255),
    "fractions by R's write.csv2, with a decimal comma": lambda: r_csv(delimiter=";", decimal=",", scale=255),
    "fractions with a decimal comma, headerless": lambda: numbers(
        beside(DIGITS.labels, FRACTIONS), lambda value: f"{value:g}".replace(".", ","), ";"
    ).replace("e-", "E-"),
}

# Files that do not
UNLABELLED = {
    "Kaggle's test.csv": lambda: csv_of(table(label=None)),
    "headerless, no label": lambda: numbers(DIGITS.pixels),
    "headerless, row numbers and no label": lambda: numbers(beside(ROWS, DIGITS.pixels)),
    "fractions of single precision": lambda: csv_of(frame(FRACTIONS.astype(np.float32), columns=PIXEL_NAMES)),
    "fractions of four decimals": lambda: numbers(FRACTIONS, "{:.4f}".format),
}
