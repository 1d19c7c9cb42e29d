"""The description of a model: model.json for programs, MODEL.md and the training page for people."""
