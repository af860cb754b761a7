"""failsoft beside its peers, on real sockets: each in a process and an environment of its own."""
