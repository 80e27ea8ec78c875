from multiprocessing import shared_memory

attempt("a segment", call, "shmget", 4711, 4096, 0o1666)
attempt("a semaphore", call, "semget", 4711, 1, 0o1666)
attempt("a message queue", call, "msgget", 4711, 0o1666)
attempt("a POSIX queue", call, "mq_open", b"attack", 0o102, 0o666, 0)
attempt("POSIX shared memory", shared_memory.SharedMemory, None, True, 4096)
