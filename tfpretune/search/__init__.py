"""Settings searched: the space, the trials, the study, its report. TensorFlow is imported when a name needs it.

Examples:
    >>> import typing
    >>> from tfpretune.search import DATA_FILE, FILE, STOPPED, Searched
    >>> FILE, DATA_FILE, STOPPED  # in the search's folder; the exit code after Ctrl-C
    ('study.db', 'data.json', 130)
    >>> typing.get_args(Searched)[:3]
    ('learning_rate', 'dropout', 'frozen')
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
