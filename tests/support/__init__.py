"""What tests are made of: small data sets, files that hold them, models that need no training."""
