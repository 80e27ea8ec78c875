os.fork()
os.fork()
while True:
    os.write(1, b"x" * 60_000)
