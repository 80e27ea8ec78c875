import resource

attempt("raising a limit", resource.setrlimit, resource.RLIMIT_CORE, (1 << 20, 1 << 20))
os.abort()
