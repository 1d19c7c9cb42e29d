"""The JSON documents that the job writes, as types: one module per document.

mypy checks the code against these types, and `json_schema` generates the published JSON Schemas from them. The meaning
of a value is in its annotation, from which it gets into the schema.
"""
