for _ in range(1_500):
    os.mkdir("d")
    os.chdir("d")
os.chmod(".", 0)
