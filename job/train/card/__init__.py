"""What people and programs are told about a model: model.json, MODEL.md, the page."""
