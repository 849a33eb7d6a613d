import re

import pytest

from tfpretune.errors import UsageError
from tfpretune.settings.comparison import ComparisonConfig, SeedsConfig


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (SeedsConfig, {"seeds": 1}, "--seeds must be at least 2, received 1"),
        (ComparisonConfig, {"seeds": 0}, "--seeds must be at least 2, received 0"),
        (ComparisonConfig, {"steps": 0}, "--steps must be at least 1, received 0"),
        (ComparisonConfig, {"batch_size": 0}, "--batch-size must be at least 1, received 0"),
    ],
)
def test_what_gives_no_mean_or_no_training_is_refused(config, values, message):
    config(seeds=2)
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        config(**values)
