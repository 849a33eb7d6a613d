"""What the numbers and colours of masks stand for, decided over all files of a source."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.readers.masks.form import MaskForm
from tfpretune.data.sources.masks import open_masks, read_masks
from tfpretune.errors import RunError, UsageError

RED, GREEN, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 0), (255, 255, 255)
PHOTOS = np.random.default_rng(0).integers(0, 256, (4, 4, 6, 3)).astype(np.uint8)


def source(folder, *masks, classes="", names="{}.png"):
    """Writes photos and these masks: arrays, images of Pillow, or bytes; returns the spec."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for row, mask in enumerate(masks):
        Image.fromarray(PHOTOS[row]).save(folder / f"images/{row}.png")
        path = folder / "masks" / names.format(row)
        (mask if isinstance(mask, Image.Image) else Image.fromarray(np.asarray(mask))).save(path)
    if classes:
        (folder / "classes.txt").write_bytes(classes if isinstance(classes, bytes) else classes.encode())
    return f"images:{folder}"


def numbers(*values, dtype=np.uint8):
    """A mask of 4 x 6 pixels that holds these numbers, in turn."""
    return np.resize(np.array(values, dtype), (4, 6))


def palette(mask, *colours):
    image = Image.fromarray(mask, "L").convert("P")
    image.putdata(mask.ravel().tolist())
    image.putpalette([part for colour in colours for part in colour])
    return image


def coloured(*colours):
    return np.resize(np.array(colours, np.uint8), (4, 6, 3))


def read(spec, row=0, **options):
    found = open_masks(spec, **options)
    return found.class_names, found.read(found.masks[row]).ravel()[:4].tolist()


@pytest.mark.parametrize(
    ("values", "classes", "names", "expected"),
    [
        ((0, 255), "", ("0", "255"), [0, 1, 0, 1]),
        ((0, 255), "ground\nroad\n", ("ground", "road"), [0, 1, 0, 1]),
        ((0, 1, 255), "", ("0", "1"), [0, 1, 255, 0]),
        ((0, 1, 255), "ground\nroad\n", ("ground", "road"), [0, 1, 255, 0]),
        ((0, 1, 2), "a\nb\nc\nd\n", ("a", "b", "c", "d"), [0, 1, 2, 0]),
        ((0, 128, 255), "0 ground\n128 unsure\n255 road\n", ("ground", "unsure", "road"), [0, 1, 2, 0]),
        ((0, 128, 255), "0 ground\n128\tvoid\n255 road\n", ("ground", "road"), [0, 255, 1, 0]),
        ((1, 2, 3), "1,cat\n2,rim\n3,rest\n", ("cat", "rim", "rest"), [0, 1, 2, 0]),
        ((0, 5), "0 3 doors\n5 5 doors\n", ("3 doors", "5 doors"), [0, 1, 0, 1]),
    ],
)
def test_numbers_that_say_what_they_are(tmp_path, values, classes, names, expected):
    assert read(source(tmp_path, numbers(*values), classes=classes)) == (names, expected)


def test_black_and_white_beside_a_list_of_two_is_no_perfect_score(tmp_path):
    """255 was no class, so that all pixels were of one class, and every model was right everywhere."""
    spec = source(tmp_path, numbers(0, 0, 255), numbers(0, 255), classes="ground\nroad\n")
    assert open_masks(spec).pixels().tolist() == [16 + 12, 8 + 12]
    assert read_masks(spec).notes == ["the masks hold 0 and 255: 0 is 'ground' and 255 is 'road'"]


@pytest.mark.parametrize(
    ("values", "classes", "message"),
    [
        ((0, 128, 255), "", "the masks hold the numbers 0, 128, 255, with gaps; list .* `MaskForm.values.` 0 128"),
        ((0, 7), "", "the masks hold the numbers 0, 7, with gaps"),
        ((1, 2), "", "the masks hold the numbers 1, 2, with gaps"),
        ((0,), "", "the masks show one class only, '0'; two are needed"),
        ((255,), "", "the masks show no class at all; two are needed"),
        ((0, 255), "a\nb\nc\n", "the masks show one class only, 'a'; two are needed"),
        ((0, 1), "a\n", "pixels have the class 1, there are 1"),
        ((0, 128, 255), "a\nb\nc\n", "pixels have the class 128, there are 3; .* or list the numbers in classes.txt"),
        ((0, 1), "a\nb\na\n", "the class 'a' is listed twice"),
        ((0, 1), "0 a\n0 b\n", "the number 0 is listed twice"),
        ((0, 1), "1 2 3 a\n1 2 3 b\n", "the colour 1 2 3 is listed twice"),
        ((0, 1), "1 2 3 4 5 6\n", "the lines may be R G B name or name R G B"),
        (tuple(range(0, 256, 5)), "", "come from edges that were smoothed"),
    ],
)
def test_numbers_that_may_mean_two_things_are_problems(tmp_path, values, classes, message):
    with pytest.raises(RunError, match=message):
        open_masks(source(tmp_path, numbers(*values), classes=classes))


def test_the_option_settles_it(tmp_path):
    spec = source(tmp_path, numbers(0, 128, 255, 7))
    assert read(spec, values=(0, 128, 255)) == (("0", "128", "255"), [0, 1, 2, 255])
    rows = read_masks(spec, MaskForm(values=(255, 0)))
    assert rows.class_names == ("255", "0")
    assert rows.notes == [
        "numbers that `MaskForm(values)` does not list have no class: 7 (25.0 %), 128 (25.0 %)",
        "1 images have pixels without a class, 50.0 % of all pixels",
    ]
    (tmp_path / "classes.txt").write_text("no\nyes\n")
    assert read(spec, values=(0, 255)) == (("no", "yes"), [0, 255, 1, 255])
    with pytest.raises(UsageError, match="`MaskForm.values.` has 3 numbers, classes.txt 2 classes"):
        open_masks(spec, values=(0, 128, 255))
    for wrong in ((0,), (0, 0), (0, 256), (-1, 0)):
        with pytest.raises(UsageError, match="`MaskForm.values.` needs two or more different numbers from 0 to 255"):
            open_masks(spec, values=wrong)


def test_palettes_are_compared_over_files(tmp_path):
    same = palette(numbers(0, 1), BLACK, RED, GREEN)
    spec = source(
        tmp_path, same, palette(numbers(0, 2), BLACK, (9, 9, 9), GREEN), palette(numbers(0, 1), BLACK, GREEN, RED)
    )
    (problem,) = read_masks(spec).problems
    assert str(problem).replace(f"{tmp_path}/", "") == (
        "masks/2.png: its palette is not that of the others: 1 is 0 255 0 here, 255 0 0 in masks/0.png; save all with one "
        "palette, or list the colours in classes.txt (lines such as: 255 0 0 name)"
    )
    (tmp_path / "classes.txt").write_text("0 0 0 ground\n255,0,0 red\n0\t255\t0 green\n")
    assert read(spec, 0) == (("ground", "red", "green"), [0, 1, 0, 1])
    assert read(spec, 2)[1] == [0, 2, 0, 2]  # by their colours


def test_one_colour_by_two_numbers_is_a_problem_too(tmp_path):
    masks = [palette(numbers(0, 1), BLACK, RED), palette(numbers(0, 2), BLACK, GREEN, RED)]
    (problem,) = read_masks(source(tmp_path, *masks)).problems
    assert "255 0 0 is 2 here, 1 in" in problem.what


def test_black_and_white_in_several_forms(tmp_path):
    """One bit, grey and 16 bits in one set are the same two classes; a palette that has white by 1 is not taken for it."""
    bits, grey = Image.fromarray(numbers(0, 255)).convert("1", dither=0), numbers(0, 255)
    spec = source(tmp_path, bits, grey, numbers(0, 65535, dtype=np.uint16))
    for row in range(3):
        assert read(spec, row) == (("0", "255"), [0, 1, 0, 1])
    palette(numbers(0, 1), BLACK, WHITE).save(tmp_path / "masks/0.png")
    with pytest.raises(RunError, match=r"0.png: its palette is not that of the others: 255 255 255 is 1 here, 255 in"):
        open_masks(spec)


def test_bits_alone_are_0_and_1_and_beside_other_numbers_a_problem(tmp_path):
    bits = Image.fromarray(numbers(0, 255)).convert("1", dither=0)
    spec = source(tmp_path, bits, numbers(0, 1))
    assert read(spec) == (("0", "1"), [0, 1, 0, 1])
    Image.fromarray(numbers(0, 1, 255)).save(tmp_path / "masks/1.png")
    with pytest.raises(RunError, match=r"0.png: it has one bit per pixel, other masks hold the numbers 0, 1, 255"):
        open_masks(spec)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_keeps_its_numbers(tmp_path, bits):
    """Pillow spreads them over 0 to 255."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    spec = source(tmp_path, numbers(0, 1))
    row = {2: b"\0\x1b\x10", 4: b"\0\x01\x23\x01"}[bits]  # 0 1 2 3 0 1
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 4, bits, 0, 0, 0, 0))
    (tmp_path / "masks/0.png").write_bytes(png + chunk(b"IDAT", zlib.compress(4 * row)) + chunk(b"IEND", b""))
    assert read(spec) == (("0", "1", "2", "3"), [0, 1, 2, 3])


@pytest.mark.parametrize("order", ["{1} {0}", "{0} {1}", "{0}:{1}::", "{0},{1}"])
def test_colours_are_classes_where_classes_txt_lists_them(tmp_path, order):
    colours = {"ground": "0 0 0", "a road": "255 0 0", "Void": "0 255 0"}
    if "," in order:
        colours = {name: colour.replace(" ", ",") for name, colour in colours.items()}
    lines = [order.format(*item) for item in colours.items()]
    header = "name,r,g,b\n" if "," in order else "# colours\n"
    spec = source(tmp_path, coloured(BLACK, RED, GREEN), numbers(0, 0), classes=header + "\n".join(lines))
    assert read(spec) == (("ground", "a road"), [0, 1, 255, 0])
    Image.fromarray(coloured(BLACK, (1, 2, 3))).save(tmp_path / "masks/1.png")
    with pytest.raises(RunError, match=r"1.png: pixels have the colour 1 2 3; list it in classes.txt"):
        open_masks(spec)


def test_numbers_may_lie_beside_a_list_of_colours(tmp_path):
    spec = source(tmp_path, numbers(0, 1), classes="64 0 0 sky\n0 64 0 sea\n")
    assert read(spec) == (("sky", "sea"), [0, 1, 0, 1])


def test_colours_without_a_list_are_one_problem_that_shows_them(tmp_path):
    spec = source(tmp_path, coloured(BLACK, BLACK, RED), coloured(BLACK, RED))
    (problem,) = read_masks(spec).problems
    assert "this mask and 1 more are in colours: 0 0 0 (58.3 %), 255 0 0 (41.7 %)" in problem.what
    assert problem.todo == "list them in classes.txt (lines such as: 255 0 0 name)"


def test_grey_in_three_channels_and_opaque_alpha_are_numbers(tmp_path):
    grey = numbers(0, 1, 2)
    rgb, full = np.stack([grey] * 3, -1), np.full_like(grey, 255)
    masks = [
        Image.fromarray(rgb),
        Image.fromarray(np.dstack([grey, full]), "LA"),
        Image.fromarray(np.dstack([rgb, full])),
    ]
    spec = source(tmp_path, *masks)
    for row in range(3):
        assert read(spec, row) == (("0", "1", "2"), [0, 1, 2, 0])
    full[0, :3] = 0
    Image.fromarray(np.dstack([grey, full]), "LA").save(tmp_path / "masks/1.png")
    with pytest.raises(RunError, match=r"1.png: cannot be read \(12.5 % of its pixels are transparent"):
        open_masks(spec)


@pytest.mark.parametrize(
    "content", ["\ufeffsky\r\nsea\r\n", "\ufeff255 0 0 sky\n0 255 0 sea\n", "# classes\n\nsky\nsea\n"]
)
def test_marks_comments_and_line_ends_of_the_list_are_no_names(tmp_path, content):
    assert open_masks(source(tmp_path, numbers(0, 1), classes=content)).class_names == ("sky", "sea")


def test_a_jpeg_mask_is_named_whatever_its_suffix(tmp_path):
    spec = source(tmp_path, numbers(0, 1), numbers(0, 1))
    Image.fromarray(numbers(0, 1)).save(tmp_path / "masks/0.png", "JPEG")
    (tmp_path / "masks/1.png").rename(tmp_path / "masks/1.JPG")
    problems = [str(problem).replace(f"{tmp_path}/", "") for problem in read_masks(spec).problems]
    assert problems[:2] == [
        "masks/1.JPG: the mask is a .JPG file: JPEG blurs the numbers of the classes; save it as PNG, from its original",
        "masks/0.png: cannot be read (it is a JPEG file, which blurs the numbers of the classes: save it as PNG, from its "
        "original); replace it",
    ]
