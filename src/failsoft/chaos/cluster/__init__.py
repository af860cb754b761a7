"""Several servers behind a balancer on one machine, to see what many processes do together."""

from failsoft.chaos.cluster.cluster import Cluster
from failsoft.chaos.cluster.opening import open_cluster
from failsoft.chaos.cluster.trouble import ClusterError

__all__ = ["Cluster", "ClusterError", "open_cluster"]
