from tfpretune.evaluation.report.segmentation import segmentation_tables


def test_a_class_that_does_not_occur_has_no_figure():
    own = {"mean_iou": 0.5, "mean_dice": 0.6, "pixel_accuracy": 0.7, "iou/sky": 0.5, "dice/sky": 0.6}
    own |= {"support/sky": 9.0, "support/sea": 0.0}
    overall, classes = segmentation_tables({"simple": own, "segmenter": own}, ("sky", "sea"), model="segmenter")
    assert overall.rows == [["simple", 0.5, 0.6, 0.7], ["segmenter", 0.5, 0.6, 0.7]]
    assert classes.rows == [["sky", 9, 0.5, 0.6], ["sea", 0, None, None]]
