"""Measuring a trained network: accuracy, calibration, agreement of its exports, and the gate."""
