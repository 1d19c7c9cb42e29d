"""Text that a spreadsheet would take for a formula, marked as text: `--escape-formulas`.

`predictions` applies it to CSV files. The rule is OWASP's (https://owasp.org/www-community/attacks/CSV_Injection): an
apostrophe in front.
"""

from typing import Any, Final

import pyarrow as pa

# Also behind blanks and invisible characters, which some programs trim, and in the full width of East Asian text.
_FORMULA: Final = r"^[\s\p{Z}\p{C}]*[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]|^[\t\r\n]"
_NUMBER: Final = r"^[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?$"


def escaped_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of `escape_formulas`: text and bytes of any type become text, and names are escaped like text."""
    names = _escaped(pa.array(schema.names, pa.string())).to_pylist()
    types = [pa.large_string() if _is_text(field.type) else field.type for field in schema]
    return pa.schema(list(zip(names, types, strict=True)))


def escape_formulas(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same rows, with `'` in front of each text that begins like a formula and is no number.

    schema: `escaped_schema` of theirs.
    """
    columns = [_escaped(column) if _is_text(column.type) else column for column in rows.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _escaped(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    # By way of bytes, because what a file calls text or bytes need not be UTF-8.
    bytes_ = (column.storage if isinstance(column, pa.ExtensionArray) else column).cast(pa.large_binary())
    texts = bytes_.view(pa.large_string())
    is_number = pc.match_substring_regex(texts, _NUMBER)
    is_formula = pc.and_(pc.match_substring_regex(texts, _FORMULA), pc.invert(is_number))
    if not pc.any(is_formula).as_py():
        return texts
    apostrophe, nothing = (pa.scalar(text, pa.large_string()) for text in ("'", ""))
    return pc.if_else(is_formula, pc.binary_join_element_wise(apostrophe, texts, nothing), texts)


def _is_text(kind: Any) -> bool:
    stored = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    is_one_of = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
    )  # fmt: skip
    return any(check(stored) for check in is_one_of)
