import signal

for pid in OUTSIDE:
    if pid > 20 and not os.path.exists("/box"):
        attempt(f"signalling {pid}", os.kill, pid, 0)
for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
    for pid in (*OUTSIDE, -1, os.getppid()):
        try:
            os.kill(pid, number)
        except OSError as error:
            print("stopped", pid, error, flush=True)
