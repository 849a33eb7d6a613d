from . import backbones as backbones
from . import data as data
from . import evaluation as evaluation
from . import experiments as experiments
from . import finetune as finetune
from . import objectives as objectives
from . import search as search
from . import serving as serving
from . import settings as settings
from . import tasks as tasks
from . import training as training
from .errors import RunError as RunError
from .errors import UsageError as UsageError

__version__: str
