"""The prepare stage: pictures of digits -> one file of pixels that scoring and training read."""
