"""One network trained by several processes: starting them, what they agree on, and their gradients.

A process is a rank, numbered from 0; the first one reports, records and saves. `Ranks` is what a task is given to ask:
for one process it answers by itself, for several (`Group`) by asking the others.
"""

import signal

STOP_SIGNAL = signal.SIGUSR1
"""What asks the first rank to stop, again and again; other signals end a rank, as the launcher expects of SIGTERM."""
