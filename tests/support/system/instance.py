"""One instance of a service, as a process: `python -m tests.support.system.instance PORT`.

Each answer names its port. SIGUSR1 makes it slow, SIGUSR2 makes it answer 500.
"""

import asyncio
import signal
import sys

SLOW_S = 0.5
"""Much more than an answer takes on a busy machine: a balancer compares."""


class Answers:
    """How it answers from now on."""

    def __init__(self) -> None:
        self.delay_s, self.status = 0.0, b"200 OK"

    def be_slow(self) -> None:
        """Each answer takes its time."""
        self.delay_s = SLOW_S

    def be_broken(self) -> None:
        """Each answer is an error."""
        self.status = b"500 Broken"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests without a body."""
        port = b"%d" % writer.get_extra_info("sockname")[1]
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(self.delay_s or 0.002)
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (self.status, len(port), port))
        writer.close()


async def main(port: int) -> None:
    """Until it is killed."""
    answers, loop = Answers(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, answers.be_slow)
    loop.add_signal_handler(signal.SIGUSR2, answers.be_broken)
    server = await asyncio.start_server(answers.serve, "127.0.0.1", port)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
