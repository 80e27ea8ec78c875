import mmap

kept = mmap.mmap(-1, 512 << 20)
for page in range(0, len(kept), 4096):
    kept[page] = 1
print("REACHED 512 MB")
