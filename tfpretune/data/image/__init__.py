"""Image files to pixels: headers, Exif, decoding, augmentation."""
