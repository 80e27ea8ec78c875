if os.fork() == 0:
    try:
        os.setsid()
    except OSError as error:
        print("stopped", error)
    if os.fork() == 0:
        import time

        for one in range(3):
            os.close(one)
        time.sleep(60)
    os._exit(0)
