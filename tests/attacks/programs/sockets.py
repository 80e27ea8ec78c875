import socket


def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(1)
        one.connect(address)


for family in range(46):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        attempt(f"a socket of family {family}, kind {kind}", socket.socket, family, kind)
attempt("a pair of netlink sockets", socket.socketpair, 16, socket.SOCK_RAW)
left, right = socket.socketpair()
attempt("connecting an end of a pair", left.connect, "\0/tmp/.X11-unix/X0")
attempt("a pair of datagram sockets", socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM)
attempt("connecting to a port of the machine", connect, socket.AF_INET, ("127.0.0.1", int(os.environ["PORT"])))
attempt("connecting to a socket of the machine", connect, socket.AF_UNIX, "\0attack-" + os.environ["PORT"])
