"""The documents that the job writes, as types: what each key is, for readers, for mypy and, generated, as JSON Schema.

One module a document. A value's meaning stands in its annotation, so that `digit-job schema` can publish it.
"""
