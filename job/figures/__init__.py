"""Figures of a report as pictures for slides: the only code, beside the train stage, that imports matplotlib."""
