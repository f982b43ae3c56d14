"""Who is told: a health check, people, a monitoring system, and a log.

A failing notification never changes a run, nor its exit code: it costs a line on stderr, in which
no address stands, as the address of a receiver holds its password or its token.
"""

from reconcile.notify.log import Log, logged
from reconcile.notify.watch import Watch, tell, watched

__all__ = ["Log", "Watch", "logged", "tell", "watched"]
