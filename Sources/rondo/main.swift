import RondoCLI

print("rondo")
