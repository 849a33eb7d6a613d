"""The files of each kind of input. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping

TEXT_SUFFIXES = (".txt",)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp")
_CONVERT = "mogrify -format {to} FOLDER/*{suffix} (ImageMagick)"
_UNREADABLE_IMAGES = {
    (".heic", ".heif", ".hif"): ("photos of phones (HEIC)", _CONVERT.replace("{to}", "jpg")),
    (".avif", ".jxl", ".jp2", ".j2k", ".jpx", ".jpf"): ("photos", _CONVERT.replace("{to}", "png")),
    (".tif", ".tiff"): ("TIFF", f"{_CONVERT.replace('{to}', 'png')}; of pages, the one that is meant"),
    (".dcm", ".dicom"): ("scans of medicine (DICOM)", "dcm2pnm +on IN{suffix} OUT.png (DCMTK)"),
    (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2"): ("raw photos", "dcraw -e FOLDER/*{suffix}"),
    (".npy",): ("arrays of NumPy", "PIL.Image.fromarray(numpy.load(IN)).save(OUT.png)"),
    (".svg",): ("drawings", "rsvg-convert IN{suffix} -o OUT.png"),
    (".psd", ".ico", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".exr", ".hdr", ".pcx"): (
        "",
        _CONVERT.replace("{to}", "png"),
    ),
}


@dataclasses.dataclass(frozen=True)
class FileKind:
    """The files of one kind of input.

    Args:
        scheme: what names a folder of them.
        suffixes: of those that are read.
        unreadable: suffix -> what such files are, and how they are converted, of those that would have to be.
    """

    scheme: str
    suffixes: tuple[str, ...]
    unreadable: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)


FILES: Mapping[str, FileKind] = {
    "text": FileKind("text", TEXT_SUFFIXES),
    "image": FileKind(
        "images",
        IMAGE_SUFFIXES,
        {
            suffix: (what, how.format(suffix=suffix))
            for suffixes, (what, how) in _UNREADABLE_IMAGES.items()
            for suffix in suffixes
        },
    ),
}
