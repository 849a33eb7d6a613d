"""Which folders hold images with masks, and which mask is whose."""

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.masks.folders import find_mask_folders
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.masks import open_masks, read_masks
from tfpretune.errors import UsageError

RANDOM = np.random.default_rng(0)


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, (4, 6, 3)).astype(np.uint8)).save(path)


def mask(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.resize(np.array([0, 1], np.uint8), (4, 6))).save(path)


def pairs(folder):
    source = open_masks(f"images:{folder}")
    return {
        image.removeprefix(f"{folder}/"): path.removeprefix(f"{folder}/")
        for image, path in zip(source.images.inputs, source.masks, strict=True)
    }


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("images/a.jpg", "masks/a.PNG"),
        ("images/a.JPG", "masks/a_mask.png"),
        ("Images/A.jpg", "Labels/a-Label.png"),
        ("JPEGImages/2007_000032.jpg", "SegmentationClass/2007_000032.png"),
        ("imgs/sub/a.png", "annotations/sub/a_seg.bmp"),
        ("images/a.png", "annotations/trimaps/a.png"),
        ("images/a_image.png", "masks/a_mask.png"),
        ("images/a.b.jpg", "ground truth/a.b.gif"),
    ],
)
def test_names_that_belong_together(tmp_path, image, found):
    photo(tmp_path / image)
    mask(tmp_path / found)
    assert pairs(tmp_path) == {image: found}
    with pytest.raises(UsageError, match="holds images with masks"):
        open_source(f"images:{tmp_path}")
    assert len(open_source(f"images:{tmp_path}", label_column="")) == 1  # pre-training takes the images


def test_a_stricter_match_goes_first(tmp_path):
    """A photo of a mask is called face_mask, and is none."""
    for name in ("face", "face_mask"):
        photo(tmp_path / f"images/{name}.jpg")
        mask(tmp_path / f"masks/{name}.png")
    assert pairs(tmp_path) == {f"images/{name}.jpg": f"masks/{name}.png" for name in ("face", "face_mask")}


def test_what_has_no_partner_is_named_and_never_to_be_removed(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg", "c.png", "d.jpg"):
        photo(tmp_path / "images" / name)
    for name in ("a.png", "c.png", "e.png", "d.tif", "._a.png", ".ipynb_checkpoints/a.png", "Thumbs.db"):
        mask(tmp_path / "masks" / "x.png")
        (tmp_path / "masks" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "masks/x.png").rename(tmp_path / "masks" / name)
    problems = [str(problem).replace(f"{tmp_path}/", "") for problem in read_masks(f"images:{tmp_path}").problems]
    assert [problem.split(":")[0] for problem in problems] == [
        "images/b.jpg",
        "masks/d.tif",
        "masks/e.png",
        "images/c.png",
    ]
    assert not any("remove" in problem for problem in problems)


def test_folders_that_are_no_masks(tmp_path):
    """YOLO's labels are texts; two folders may hold the masks; images alone are no pair."""
    photo(tmp_path / "yolo/images/a.jpg")
    (tmp_path / "yolo/labels").mkdir()
    (tmp_path / "yolo/labels/a.txt").write_text("0 0.5 0.5 1 1")
    with pytest.raises(
        UsageError, match="labels holds no masks but other files, which are not read: give images:.*/images"
    ):
        open_source(f"images:{tmp_path}/yolo")
    photo(tmp_path / "two/images/a.jpg")
    mask(tmp_path / "two/masks/a.png")
    mask(tmp_path / "two/SegmentationClass/a.png")
    with pytest.raises(UsageError, match="the masks may lie in SegmentationClass or masks"):
        read_masks(f"images:{tmp_path}/two")
    assert find_mask_folders(str(tmp_path)) == []


@pytest.mark.parametrize("layout", ["{split}/{kind}/{row}", "{kind}/{split}/{row}"])
def test_splits_of_masks(tmp_path, layout):
    counts = {"train": 12, "val": 3, "test": 4}
    for split, count in counts.items():
        for row in range(count):
            photo(tmp_path / layout.format(split=split, kind="images", row=f"{row}.jpg"))
            mask(tmp_path / layout.format(split=split, kind="masks", row=f"{row}.png"))
    source = open_masks(f"images:{tmp_path}")
    assert [len(source.split(part)) for part in ("train", "validation", "test")] == [12, 3, 4]
    assert all("/test/" in path for path in source.split("test").masks)
    pixels = open_source(f"images:{tmp_path}", label_column="")
    assert [len(pixels.split(part)) for part in ("train", "validation", "test")] == [12, 3, 4]
    notes = read_masks(f"images:{tmp_path}").notes
    assert any("train, validation, test are the splits of the source" in note for note in notes)


def test_check_decodes_the_photos(tmp_path):
    for name in "ab":
        photo(tmp_path / f"images/{name}.png")
        mask(tmp_path / f"masks/{name}.png")
    whole = (tmp_path / "images/b.png").read_bytes()
    (tmp_path / "images/b.png").write_bytes(whole[:60])
    (problem,) = check(f"images:{tmp_path}").problems
    assert problem.where == f"{tmp_path}/images/b.png"
    assert problem.todo == "replace it"


def both(folder):
    photo(folder / "images/a.jpg")
    mask(folder / "masks/a.png")


@pytest.mark.parametrize(
    ("inner", "given"),
    [(["train"], "train"), (["ds"], "ds"), (["a/b"], "a/b"), (["covid", "normal"], "covid")],
)
@pytest.mark.parametrize("beside", [False, True])
def test_images_and_masks_that_lie_deeper(tmp_path, inner, given, beside):
    """Neither are they classes, nor are masks photos for pre-training."""
    for name in inner:
        both(tmp_path / name)
    if beside:
        photo(tmp_path / ("test/images/a.jpg" if "/" not in given else ".hidden/a.jpg"))
    for read in (read_masks, check, lambda spec: open_source(spec, label_column="")):
        with pytest.raises(UsageError, match=f"images and masks lie .*{given}.*: give images:{tmp_path}/{given}"):
            read(f"images:{tmp_path}")


def test_folders_beside_splits_with_masks_are_told(tmp_path):
    for split in ("train", "val"):
        both(tmp_path / split)
    photo(tmp_path / "test/images/a.jpg")
    assert "not read, as no split with images and masks: test" in read_masks(f"images:{tmp_path}").notes


@pytest.mark.parametrize(("name", "shown"), [("extra/c", "extra"), ("c", "c.jpg")])
def test_what_lies_beside_inner_splits_is_named(tmp_path, name, shown):
    for row in ("train/a", "val/b", name):
        photo(tmp_path / f"images/{row}.jpg")
        mask(tmp_path / f"masks/{row}.png")
    (problem,) = read_masks(f"images:{tmp_path}").problems
    assert f"beside them there is {shown}" in problem.what


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_a_mask_of_several_frames_is_named(tmp_path, suffix):
    both(tmp_path)
    (tmp_path / "masks/a.png").unlink()
    frames = [Image.fromarray(np.resize(np.array(order, np.uint8), (4, 6))) for order in ([0, 1], [1, 0])]
    frames[0].save(tmp_path / f"masks/a.{suffix}", save_all=True, append_images=frames[1:])
    (problem,) = read_masks(f"images:{tmp_path}").problems
    assert "it has 2 frames, and a mask is one picture" in problem.what


def test_a_link_to_itself_beside_masks(tmp_path):
    both(tmp_path)
    for name in ("self", "images/self", "masks/self.png"):
        (tmp_path / name).symlink_to(name.split("/")[-1])
    problems = read_masks(f"images:{tmp_path}").problems
    assert {problem.where.removeprefix(f"{tmp_path}/") for problem in problems} == {"images/self", "masks/self.png"}
