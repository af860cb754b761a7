"""Several servers behind a balancer on one machine, to see what many processes do together."""

from failsoft.chaos.cluster.cluster import Cluster
from failsoft.chaos.cluster.opening import open_cluster
from failsoft.chaos.cluster.program import Program
from failsoft.chaos.cluster.redis import start_redis
from failsoft.chaos.cluster.trouble import ClusterError

__all__ = ["Cluster", "ClusterError", "Program", "open_cluster", "start_redis"]
