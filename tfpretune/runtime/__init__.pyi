from .files import write_atomic as write_atomic
from .lock import alone_in as alone_in
from .phases import phase as phase
