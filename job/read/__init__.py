"""Files of pixels -> PixelBatch, whatever their format and layout. `source` is the entry."""
